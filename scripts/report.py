"""Write the report of a run: one HTML page that needs nothing else, with scores, curves, counts and sample answers.

Usage:
    python scripts/report.py --settings '{…}' --scores results/evaluation/scores.tsv \\
        --parts results/evaluation/parts.tsv --evaluations results/evaluation/base.json … \\
        --base-model results/base_model/manifest.json --corpus results/corpus/manifest.json \\
        --summary results/corpus/summary.tsv --tokenizer results/tokenizer/manifest.json \\
        --pretrain results/pretrain_lora/manifest.json --sft-data results/sft_data/manifest.json \\
        --sft results/sft_lora/manifest.json --benchmarks benchmarks --output results/report.html

The trainer logs lie beside the manifests of the two adapters, report.json beside the tokenizer's. Benchmarks are shown
as far as they are there.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.errors import run
from lib.core.outputs import new_file, read_json
from lib.evaluation.score_table import in_order, read_score_table
from lib.report.curves import read_log
from lib.report.html import Html, element, join
from lib.report.sections import (
    Manifest,
    answers_section,
    corpus_section,
    curves_section,
    lineage_section,
    read_benchmarks,
    resources_section,
    scores_section,
    settings_section,
    tiles,
    tokenizer_section,
)
from lib.report.style import CSS
from lib.settings.base import from_json
from lib.settings.pipeline import PipelineSettings

STAGES = ("base_model", "corpus", "tokenizer", "pretrain", "sft_data", "sft")
TITLE = "From raw text to a fine-tuned chat model"


def page(
    settings: PipelineSettings,
    scores: pd.DataFrame,
    parts: pd.DataFrame,
    results: Sequence[Manifest],
    manifests: Mapping[str, Manifest],
    logs: Mapping[str, pd.DataFrame],
    summary: pd.DataFrame,
    vocabulary: Manifest,
    benchmarks: pd.DataFrame,
) -> str:
    """The whole page. `manifests` by the names in STAGES; `logs` for pretrain and sft; `vocabulary` is its report."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", TITLE),
        element("style", Html(CSS)),
    )
    sources = ", ".join(manifests["corpus"]["facts"].get("licenses", {}))
    main = element(
        "main",
        element("h1", TITLE),
        element(
            "p",
            join(
                [element("code", settings.base_model.uri.rsplit("/", 1)[-1]), f" adapted to {sources or 'a corpus'}."]
            ),
            class_="lead",
        ),
        tiles(scores, float(benchmarks["seconds"].sum())),
        scores_section(scores, parts),
        answers_section(results),
        curves_section(logs),
        lineage_section(manifests, settings.seed),
        corpus_section(summary),
        tokenizer_section(vocabulary),
        resources_section(benchmarks),
        settings_section(settings.model_dump(mode="json")),
        element("footer", "Written by the rule report from the files in results/; it needs no network."),
    )
    return f"<!doctype html>\n{element('html', head, element('body', main), lang='en')}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True, help="the settings of the whole run, as JSON")
    parser.add_argument("--scores", type=Path, required=True, help="scores.tsv of the evaluation")
    parser.add_argument("--parts", type=Path, required=True, help="parts.tsv of the evaluation")
    parser.add_argument("--evaluations", type=Path, nargs="+", required=True, help="what `evaluate` wrote per model")
    for stage in STAGES:
        parser.add_argument(f"--{stage.replace('_', '-')}", type=Path, required=True, help=f"manifest.json of {stage}")
    parser.add_argument("--summary", type=Path, required=True, help="summary.tsv of the corpus")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of Snakemake's benchmark files")
    parser.add_argument("--output", type=Path, required=True, help="HTML file to write")
    arguments = parser.parse_args()

    paths: dict[str, Path] = {stage: getattr(arguments, stage) for stage in STAGES}
    results: list[dict[str, Any]] = [read_json(path) for path in arguments.evaluations]
    text = page(
        from_json(PipelineSettings, arguments.settings),
        read_score_table(arguments.scores),
        pd.read_csv(arguments.parts, sep="\t", keep_default_na=False),
        in_order(results),
        {stage: read_json(path) for stage, path in paths.items()},
        {stage: read_log(paths[stage].with_name("trainer_log.tsv")) for stage in ("pretrain", "sft")},
        pd.read_csv(arguments.summary, sep="\t", keep_default_na=False),
        read_json(paths["tokenizer"].with_name("report.json")),
        read_benchmarks(arguments.benchmarks),
    )
    with new_file(arguments.output) as path:
        path.write_text(text, encoding="utf-8")
    print(f"report: {arguments.output} ({len(text.encode()) / 1024:.0f} KB)", flush=True)


if __name__ == "__main__":
    run(main)
