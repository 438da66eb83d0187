"""Scores of the models on the way, what they answer, and the run at a glance."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lib.evaluation.figures import OVERALL
from lib.evaluation.intervals import CANNOT_TELL
from lib.evaluation.score_table import COLUMNS, Change, changes, percent_change
from lib.report.tables import (
    NOTHING,
    Cell,
    Column,
    RichText,
    Table,
    change_text,
    duration_text,
    number_text,
    text_column,
    with_minus,
)
from lib.settings.evaluation import MODELS, figure_of

RATIO = "text_characters_per_token"


def tiles(scores: pd.DataFrame | None, differences: pd.DataFrame | None, seconds: float) -> list[tuple[str, str]]:
    """What the run achieved: (figure, what it is)."""
    shown = []
    if differences is not None:
        shown = [
            (change_text(one.interval.value), f"bits per character of {one.what}, {_judged(one)}; lower is better")
            for one in changes(differences)
            if one.is_relative
        ]
    if scores is not None:
        longer = percent_change(scores, RATIO, "pretrained")
        if longer is not None:
            shown.append((f"× {1 + longer / 100:.2f}", "characters per token of held-out text; higher is better"))
    if seconds:
        shown.append((duration_text(seconds), "computing time, all jobs added up"))
    return shown


def _judged(change: Change) -> str:
    """What the change says of the model, as a half sentence."""
    if change.verdict == CANNOT_TELL:
        return "against the base model: cannot tell"
    return f"{change.verdict} than the base model"


def scores_table(scores: pd.DataFrame, figures: pd.DataFrame) -> Table:
    """Bits per character and characters per token of every model with intervals, the best of each column marked."""
    keys = [key for key in COLUMNS if scores[key].notna().any()]
    columns = [
        Column("characters per token", "of held-out text", "higher")
        if key == RATIO
        else Column(COLUMNS[key], "bits per character", "lower")
        for key in keys
    ]
    best = {key: scores[key].max() if key == RATIO else scores[key].min() for key in keys}
    bounds = _bounds(figures)
    rows = [
        [
            MODELS[row["model"]],
            *(_marked(row[key], row[key] == best[key], bounds.get((row["model"], key), "")) for key in keys),
        ]
        for _, row in scores.iterrows()
    ]
    return Table("Scores of every model", [text_column("model"), *columns], rows)


def other_figures(figures: pd.DataFrame) -> Table | None:
    """Everything else that was measured, a row per figure: answers, questions, tasks; None when there is nothing."""
    overall = figures[(figures["part"] == OVERALL) & ~figures["figure"].isin(list(COLUMNS))]
    models = [name for name in MODELS if name in set(overall["model"])]
    bounds = _bounds(figures)
    rows: list[list[Cell]] = []
    for name, group in overall.groupby("figure", sort=False):
        figure = figure_of(str(name))
        title, unit, better = (figure.title, figure.unit, figure.better) if figure else (str(name), "", "higher")
        values = dict(zip(group["model"], group["value"], strict=True))
        best = max(values.values()) if better == "higher" else min(values.values())
        cells = [
            _marked(values[model], values[model] == best, bounds.get((model, str(name)), ""))
            if model in values
            else NOTHING
            for model in models
        ]
        rows.append([RichText(title, f"{unit}, {better} is better"), *cells])
    columns = [text_column("measured"), *(Column(MODELS[model]) for model in models)]
    return Table("Answers and questions", columns, rows) if rows else None


def differences_table(differences: pd.DataFrame) -> Table:
    """What each figure became against the base model, with its interval and what that says."""
    rows: list[list[Cell]] = [
        [one.what, with_minus(one.amount), with_minus(one.bounds), one.verdict] for one in changes(differences)
    ]
    columns = [text_column("figure"), Column("change"), Column("95 % interval"), text_column("verdict")]
    return Table("Changes against the base model", columns, rows)


def _bounds(figures: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The interval of each overall figure, by model and figure, where there is one."""
    known = figures[(figures["part"] == OVERALL) & figures["low"].notna()]
    return {
        (row["model"], row["figure"]): f"{number_text(row['low'])} to {number_text(row['high'])}"
        for _, row in known.iterrows()
    }


def part_tables(parts: pd.DataFrame) -> list[Table]:
    """Bits per character by source of held-out text and by category of responses: a row per part."""
    titles = {"text": "Held-out text by source", "responses": "Responses by category"}
    return [
        _part_table(title, parts[parts["measured"] == measured])
        for measured, title in titles.items()
        if (parts["measured"] == measured).any()
    ]


def answers(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each sample prompt with what every model answered to it."""
    prompts = [asked["prompt"] for asked in results[0]["answers"]] if results else []
    return [
        {
            "prompt": prompt,
            "answers": [
                {
                    "model": MODELS[result["model"]],
                    "is_last": result is results[-1],
                    "text": result["answers"][number]["answer"],
                    "ended": result["answers"][number]["ended"],
                }
                for result in results
            ],
        }
        for number, prompt in enumerate(prompts)
    ]


def _part_table(title: str, parts: pd.DataFrame) -> Table:
    names = [name for name in MODELS if name in set(parts["model"])]
    grid = parts.pivot(index="part", columns="model", values="bits_per_character")
    sizes = dict(zip(parts["part"], parts["characters"], strict=True))
    columns = [Column(MODELS[name], "bits per character", "lower") for name in names]
    rows = [
        [
            str(part) or "not stated",
            number_text(sizes[str(part)]),
            *(_marked(row[name], row[name] == row.min()) for name in names),
        ]
        for part, row in grid.iterrows()
    ]
    return Table(title, [text_column(title), Column("size", "characters"), *columns], rows)


def _marked(value: float, is_best: bool, note: str = "") -> Cell:
    return RichText(number_text(value), note, is_best) if is_best or note else number_text(value)
