"""The parts of the report: what a run's files say, as HTML."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lib.evaluation.score_table import COLUMNS, MODELS, change, changes
from lib.report.curves import loss_curve
from lib.report.funnel import funnel, overview
from lib.report.html import Html, bar, details, element, join, section, table

Manifest = Mapping[str, Any]

TRAINING_FACTS = (
    ("steps", "steps"),
    ("best_step", "best step"),
    ("trainable_parameters", "trained parameters"),
    ("best_validation_loss", "best validation loss"),
)
VOCABULARIES = ("base", "extended")
VOCABULARY_FIGURES = {
    "characters": "characters",
    "tokens": "tokens",
    "characters_per_token": "chars/token",
    "bytes_per_token": "bytes/token",
    "tokens_per_chinese_character": "tokens/Chinese char",
    "whole_characters": "chars in one token",
}
TRAINING_SETTINGS = ("rank", "alpha", "learning_rate", "schedule", "batch_size", "gradient_accumulation")


def figure_text(value: Any, digits: int = 3) -> str:
    """A number for a table cell: thousands apart, a few decimals, a dash where nothing was measured."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,}" if float(value).is_integer() else f"{value:,.{digits}f}"


def change_text(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} %".replace("-", "−")


def tiles(scores: pd.DataFrame, seconds: float) -> Html:
    """What the run achieved, at a glance."""
    shown = [(change_text(percent), f"{what}, against the base model") for what, percent in changes(scores)]
    shortened = change(scores, "text_characters_per_token", "pretrained")
    if shortened is not None:
        shown.append((f"× {1 + shortened / 100:.2f}", "characters per token of held-out text"))
    if seconds:
        shown.append((duration(seconds), "computing time of all jobs together"))
    return element(
        "div",
        *(element("div", element("b", value), element("span", label), class_="tile") for value, label in shown),
        class_="tiles",
    )


def scores_section(scores: pd.DataFrame, parts: pd.DataFrame) -> Html:
    """Bits per character of every model, the best of each column marked, and by source and category."""
    columns = [column for column in COLUMNS if scores[column].notna().any()]
    best = {column: scores[column].min() for column in columns if "bits" in column}
    rows = []
    for _, row in scores.iterrows():
        cells = [figure_text(row[column]) for column in columns]
        marked = [
            element("b", cell) if row[column] == best.get(column) else cell
            for cell, column in zip(cells, columns, strict=True)
        ]
        rows.append([MODELS[row["model"]], *marked])
    by_part = [
        join([element("h3", title), part_table(parts[parts["measured"] == measured])])
        for measured, title in (("text", "Held-out text by source"), ("responses", "Responses by category"))
        if (parts["measured"] == measured).any()
    ]
    return section(
        "Scores",
        element(
            "p",
            "Bits per character: what a model needs to predict one character of text that it was not trained on. Lower"
            " is better, and models with different vocabularies can be compared. Responses are scored given their"
            " prompts; the control text is in the base model’s own language and shows what was forgotten.",
        ),
        table(["bits per character", *(COLUMNS[column] for column in columns)], rows),
        details("By source and category", *by_part) if by_part else "",
    )


def part_table(parts: pd.DataFrame) -> Html:
    """Bits per character: one row per part, one column per model."""
    names = [name for name in MODELS if name in set(parts["model"])]
    grid = parts.pivot(index="part", columns="model", values="bits_per_character")
    sizes = dict(zip(parts["part"], parts["characters"], strict=True))
    return table(
        ["", "characters", *(MODELS[name] for name in names)],
        (
            [str(part) or "–", figure_text(sizes[str(part)]), *(figure_text(row[name]) for name in names)]
            for part, row in grid.iterrows()
        ),
    )


def curves_section(logs: Mapping[str, pd.DataFrame]) -> Html:
    """Loss against step of each training stage; `logs` by stage name."""
    captions = {"pretrain": "Continued pretraining", "sft": "Instruction tuning"}
    figures = [
        element("figure", element("figcaption", captions[stage]), loss_curve(log, stage)) for stage, log in logs.items()
    ]
    return section("Training", element("div", *figures, class_="curves"))


def lineage_section(manifests: Mapping[str, Manifest], seed: int) -> Html:
    """What the model was made from, step by step; `manifests` by stage name."""
    base, corpus, vocabulary = manifests["base_model"], manifests["corpus"], manifests["tokenizer"]["counts"]
    rows: list[list[str]] = [
        [
            "base model",
            join(
                [
                    element("code", str(base["facts"].get("uri", "–"))),
                    f", {figure_text(base['counts'].get('parameters'))} parameters, licence: ",
                    str(base["facts"].get("license") or "not stated"),
                ]
            ),
        ],
        *(
            ["corpus", f"{source}, licence: {licence or 'not stated'}"]
            for source, licence in corpus["facts"].get("licenses", {}).items()
        ),
        [
            "vocabulary",
            f"{figure_text(vocabulary.get('new_tokens'))} new tokens; characters per token"
            f" {figure_text(vocabulary.get('characters_per_token_base'))} before,"
            f" {figure_text(vocabulary.get('characters_per_token_extended'))} after",
        ],
        ["continued pretraining", training_text(manifests["pretrain"])],
        [
            "instructions",
            f"{', '.join(map(str, manifests['sft_data']['facts'].get('sets', [])))}:"
            f" {figure_text(manifests['sft_data']['counts'].get('train'))} to train on,"
            f" {figure_text(manifests['sft_data']['counts'].get('validation'))} held out"
            + ("; read in pretraining, too" if manifests["pretrain"]["settings"].get("include_instructions") else ""),
        ],
        ["instruction tuning", training_text(manifests["sft"])],
        ["seed", str(seed)],
    ]
    return section("Lineage", table(["step", "what"], rows, text_columns=2))


def training_text(manifest: Manifest) -> str:
    """One training run in a line: counts, then settings."""
    counts = [
        f"{label} {figure_text(manifest['counts'][key])}" for key, label in TRAINING_FACTS if key in manifest["counts"]
    ]
    settings = [
        f"{key.replace('_', ' ')} {manifest['settings'][key]}"
        for key in TRAINING_SETTINGS
        if key in manifest["settings"]
    ]
    return "; ".join([", ".join(counts), ", ".join(settings)])


def corpus_section(summary: pd.DataFrame) -> Html:
    """What each cleaning rule took and left, of all sources together and of each."""
    if summary.empty:
        return Html()
    sources = list(dict.fromkeys(summary["source"]))
    together = summary.groupby("rule", sort=False).sum(numeric_only=True).reset_index()
    by_source = [join([element("h3", str(source)), funnel(summary[summary["source"] == source])]) for source in sources]
    return section(
        "Corpus",
        overview(summary),
        element("h3", "All sources together") if len(sources) > 1 else "",
        element(
            "p",
            "From the top down, what each rule did to the text, in characters: what is left to train on, what fell off,"
            " and at the end, in green, what is held out for validation.",
            class_="note",
        ),
        funnel(together),
        details("By source", *by_source) if len(sources) > 1 else "",
    )


def tokenizer_section(report: Mapping[str, Any]) -> Html:
    """What the tokenizer's report.json says: figures by source, the new tokens, the same text in both vocabularies."""
    is_one = len({row["source"] for row in report["sources"]}) == 2  # the source, and all together
    rows = [
        [str(row["source"]), str(row["vocabulary"]), *(figure_text(row[key]) for key in VOCABULARY_FIGURES)]
        for row in report["sources"]
        if not (is_one and row["source"] == "all")
    ]
    examples = [
        join(
            [
                element("h3", str(example["source"])),
                table(["", ""], ([name, element("code", example[name])] for name in VOCABULARIES), text_columns=2),
            ]
        )
        for example in report["examples"]
    ]
    frequent = ", ".join(f"{entry['token']} ({figure_text(entry['count'])})" for entry in report["most_frequent"])
    return section(
        "Tokenizer",
        element(
            "p",
            f"{figure_text(report['new_tokens'])} new tokens, of which held-out text uses"
            f" {figure_text(report['new_tokens_used'])}.",
        ),
        table(["held-out text", "vocabulary", *VOCABULARY_FIGURES.values()], rows, text_columns=2),
        details("The same text in both vocabularies", *examples) if examples else "",
        details(
            "New tokens",
            element("p", f"Longest: {'  '.join(report['longest'])}"),
            element("p", f"Most frequent in held-out text: {frequent}"),
        )
        if report["longest"]
        else "",
    )


def answers_section(results: Sequence[Manifest]) -> Html:
    """Each sample prompt and what every model answered."""
    blocks = []
    for number, asked in enumerate(results[0]["answers"] if results else []):
        cards = []
        for result in results:
            answer = result["answers"][number]
            note = "" if answer["ended"] else " · cut off"
            cards.append(
                element(
                    "div",
                    element("h4", MODELS[result["model"]] + note),
                    element("p", answer["answer"] or "(nothing)"),
                    class_="answer best" if result["model"] == "finetuned" else "answer",
                )
            )
        blocks.append(join([element("h3", asked["prompt"]), element("div", *cards, class_="answers")]))
    return section("Sample answers", *blocks)


def read_benchmarks(directory: Path) -> pd.DataFrame:
    """Seconds, jobs and peak memory (MB) of each rule, from Snakemake's benchmark files; longest first."""
    jobs = [
        pd.read_csv(path, sep="\t").assign(rule=path.relative_to(directory).with_suffix("").parts[0])
        for path in sorted(directory.rglob("*.tsv"))
    ]
    if not jobs:
        return pd.DataFrame({"rule": [], "seconds": [], "jobs": [], "megabytes": []})
    frame = pd.concat(jobs, ignore_index=True)
    frame = frame[frame["rule"] != "report"]  # this page itself: there on a second run only
    for column in ("s", "max_rss"):  # "-" where a job was too short to be measured
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    grouped = frame.groupby("rule").agg(seconds=("s", "sum"), jobs=("rule", "size"), megabytes=("max_rss", "max"))
    return grouped.reset_index().sort_values(["seconds", "rule"], ascending=[False, True], ignore_index=True)


def resources_section(benchmarks: pd.DataFrame) -> Html:
    """Time and memory of each rule."""
    if benchmarks.empty:
        return Html()
    longest = benchmarks["seconds"].max() or 1.0
    return section(
        "Time and memory",
        element(
            "p",
            "Memory is sampled while a job runs, so the figures for jobs of a few seconds are too low.",
            class_="note",
        ),
        table(
            ["rule", "jobs", "time", "peak memory", ""],
            (
                [
                    str(row["rule"]),
                    figure_text(row["jobs"]),
                    duration(row["seconds"]),
                    "–" if pd.isna(row["megabytes"]) else f"{row['megabytes']:,.0f} MB",
                    bar(row["seconds"] / longest),
                ]
                for _, row in benchmarks.iterrows()
            ),
        ),
    )


def settings_section(settings: Mapping[str, Any]) -> Html:
    """Every setting of the run, folded away by stage."""
    plain = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    stages = {"all stages": plain} | {key: value for key, value in settings.items() if isinstance(value, dict)}
    return section(
        "Settings",
        *(
            details(
                stage,
                table(
                    ["key", "value"],
                    ([element("code", key), element("code", setting_text(value))] for key, value in values.items()),
                    text_columns=2,
                ),
            )
            for stage, values in stages.items()
        ),
    )


def setting_text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "–" if value is None else str(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
