r"""Write the report of a run: one HTML page that needs nothing else, with scores, curves, samples and settings.

Usage:
    python scripts/report.py --settings '{…}' --scores results/evaluation/scores.tsv \
        --parts results/evaluation/parts.tsv --figures results/evaluation/figures.tsv \
        --differences results/evaluation/differences.tsv --evaluations results/evaluation/base.json … \
        --base-model results/base_model/manifest.json --corpus results/corpus/manifest.json \
        --origins results/corpus/origins.json --summary results/corpus/summary.tsv \
        --tokenizer results/tokenizer/manifest.json \
        --pretrain results/pretrain_lora/manifest.json --sft-data results/sft_data/manifest.json \
        --sft results/sft_lora/manifest.json --benchmarks benchmarks --rules clean pretrain --sources news \
        --output results/report.html

A run may lack stages: what belongs to an option without a value is left out of the page. The trainer logs lie beside
the manifests of the two adapters, report.json beside the tokenizer's, samples beside those of corpus and instructions.
Benchmarks are shown as far as they are there.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.code_version import code_version
from lib.core.credentials import without_secrets
from lib.core.outputs import read_json
from lib.core.program import program_parser, run, say
from lib.evaluation.forgetting import forgetting
from lib.evaluation.score_table import in_order, read_score_table
from lib.report import funnel, instructions, lineage, samples, scores, tokenizer, training
from lib.report.page import write_page
from lib.report.resources import read_benchmarks, resources_table
from lib.report.tables import number_text, share_text
from lib.settings.base import from_json
from lib.settings.pipeline import PipelineSettings
from lib.sweep.best import sentence_of

STAGES = ("base_model", "corpus", "tokenizer", "pretrain", "sft_data", "sft")
TITLE = "From raw text to a fine-tuned chat model"


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True, help="the settings of the whole run, as JSON")
    parser.add_argument("--name", default="demo", help="name of the run")
    parser.add_argument("--scores", type=Path, nargs="?", help="scores.tsv of the evaluation")
    parser.add_argument("--parts", type=Path, nargs="?", help="parts.tsv of the evaluation")
    parser.add_argument("--figures", type=Path, nargs="?", help="figures.tsv of the evaluation")
    parser.add_argument("--differences", type=Path, nargs="?", help="differences.tsv of the evaluation")
    parser.add_argument("--evaluations", type=Path, nargs="*", default=[], help="what `evaluate` wrote per model")
    for stage in STAGES:
        parser.add_argument(f"--{stage.replace('_', '-')}", type=Path, nargs="?", help=f"manifest.json of {stage}")
    parser.add_argument("--origins", type=Path, nargs="?", help="origins.json of the corpus")
    parser.add_argument("--summary", type=Path, nargs="?", help="summary.tsv of the corpus")
    parser.add_argument(
        "--benchmarks", type=Path, default=Path("benchmarks"), help="folder of Snakemake's benchmark files"
    )
    parser.add_argument("--rules", nargs="*", default=[], help="rules of the run, whose benchmarks are shown")
    parser.add_argument("--sources", nargs="*", default=[], help="sources of text, whose benchmarks are shown")
    parser.add_argument("--sweep", type=Path, nargs="?", help="best.yaml of a sweep of the run, beside its page")
    parser.add_argument("--output", type=Path, required=True, help="HTML file to write")
    args = parser.parse_args()

    settings = from_json(PipelineSettings, args.settings)
    paths: dict[str, Path] = {stage: path for stage in STAGES if (path := getattr(args, stage))}
    manifests: dict[str, dict[str, Any]] = {stage: read_json(path) for stage, path in paths.items()}
    if args.origins and "corpus" in manifests:
        manifests["corpus"]["facts"] |= read_json(args.origins)
    if "base_model" in manifests:  # which may have been fetched from elsewhere, if it was the same there
        manifests["base_model"]["facts"]["uri"] = without_secrets(settings.base_model.uri)
    tables = (args.scores, args.figures, args.differences)
    table, figures, differences = (read_score_table(path) if path else None for path in tables)
    evaluations = in_order([read_json(path) for path in args.evaluations])
    benchmarks = read_benchmarks(
        args.benchmarks, args.rules, args.sources, settings.corpus.shards, [path.stem for path in args.evaluations]
    )
    size = write_page(
        args.output,
        "report.html.jinja",
        title=TITLE,
        footer="Written by the rule report from the files in results/.",
        run={
            "name": args.name,
            "base_model": settings.base_model.uri.rsplit("/", 1)[-1],
            "code": code_version(),
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        },
        tiles=scores.tiles(table, differences, float(benchmarks["seconds"].sum())),
        scores=scores.scores_table(table, figures) if table is not None and figures is not None else None,
        figures=scores.other_figures(figures) if figures is not None else None,
        differences=scores.differences_table(differences) if differences is not None else None,
        forgetting=forgetting(differences) if differences is not None else [],
        parts=scores.part_tables(_read_table(args.parts)) if args.parts else [],
        answers=scores.answers(evaluations),
        training=_training(paths, manifests),
        corpus=_corpus(args.summary, manifests, paths) if args.summary and "corpus" in paths else None,
        instructions=_instructions(paths["sft_data"].parent, manifests["sft_data"]) if "sft_data" in paths else None,
        tokenizer=_tokenizer(paths, manifests, table, benchmarks) if "tokenizer" in paths else None,
        sweep=_sweep(args.sweep, args.output) if args.sweep else None,
        resources=resources_table(benchmarks),
        lineage=lineage.lineage_table(manifests, settings.seed),
        changed_settings=lineage.changed_settings(settings),
        all_settings=lineage.all_settings(settings),
        number_text=number_text,
        share_text=share_text,
        rule_label=funnel.rule_label,
    )
    say(f"report: {args.output} ({size / 1024:.0f} KB)")


def _read_table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False)


def _sweep(best: Path, output: Path) -> dict[str, str]:
    """What a sweep found, and where its page is, seen from this one."""
    return {"sentence": sentence_of(best), "page": os.path.relpath(best.with_name("report.html"), output.parent)}


def _training(paths: Mapping[str, Path], manifests: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Charts and facts of the stages that were trained."""
    trained = {stage: manifests[stage] for stage in training.STAGES if stage in manifests}
    if not trained:
        return None
    logs = {stage: training.read_log(paths[stage].with_name("trainer_log.tsv")) for stage in trained}
    return {
        "charts": training.loss_charts(logs),
        "table": training.training_table(trained),
        "warnings": training.warnings(trained),
        "verdicts": training.verdicts(trained),
    }


def _corpus(path: Path, manifests: Mapping[str, dict[str, Any]], paths: Mapping[str, Path]) -> dict[str, Any]:
    """Counts by rule, all sources together and each, and samples of documents."""
    summary = _read_table(path)
    sources = [str(source) for source in dict.fromkeys(summary["source"])]
    together = summary.groupby("rule", sort=False).sum(numeric_only=True).reset_index()
    dropped = summary[summary["documents_dropped"] > 0]
    directory = paths["corpus"].parent
    return {
        "overview": funnel.overview(summary, manifests["corpus"]["facts"].get("licenses", {})),
        "funnel": funnel.funnel(together, "What each rule did"),
        "idle": funnel.idle_rules(together),
        "by_source": [funnel.funnel(summary[summary["source"] == source], source) for source in sources]
        if len(sources) > 1
        else [],
        "cleaned": samples.cleaned_samples(directory, sources),
        "dropped": samples.dropped_samples(directory, list(zip(dropped["source"], dropped["rule"], strict=True))),
    }


def _instructions(directory: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Counts by set and reason, and samples of records."""
    return {
        "reading": instructions.reading_table(manifest["facts"].get("reading", {})),
        "left_out": instructions.skipped_table(manifest["counts"]),
        "masked": samples.masked_samples(directory / "train.jsonl"),
        "masked_share": manifest["facts"].get("masked"),
        "skipped": samples.skipped_samples(directory / "skipped.jsonl"),
    }


def _tokenizer(
    paths: Mapping[str, Path],
    manifests: Mapping[str, dict[str, Any]],
    scores: pd.DataFrame | None,
    benchmarks: pd.DataFrame,
) -> dict[str, Any]:
    """Both vocabularies on held-out text, and what the new tokens cost and gave."""
    report = read_json(paths["tokenizer"].with_name("report.json"))
    why = report.get("why_so_many")
    fit = benchmarks.set_index("rule")["seconds"].get("extended_model")
    return {
        "sentence": f"{number_text(report['new_tokens'])} new tokens, of which held-out text uses"
        f" {number_text(report['new_tokens_used'])}.{f' Why so many: {why}.' if why else ''}",
        "cost": tokenizer.cost_table(
            report,
            scores=scores,
            context=_context(paths["base_model"].with_name("config.json")),
            read_tokens=training.tokens_read(manifests["pretrain"]) if "pretrain" in manifests else None,
            fit_seconds=fit,
        ),
        "table": tokenizer.tokenizer_table(report),
        "examples": tokenizer.example_tables(report),
        "longest": report["longest"],
        "most_frequent": report["most_frequent"],
    }


def _context(config: Path) -> int | None:
    """Maximum length of a model in tokens, by its config.json, where that names one."""
    values = read_json(config) if config.is_file() else {}
    length = values.get("text_config", values).get("max_position_embeddings")
    return int(length) if length else None


if __name__ == "__main__":
    run(main)
