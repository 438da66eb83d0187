"""Scores of the models on the way, what they answer, and the run at a glance."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lib.evaluation.score_table import COLUMNS, MODELS, change, changes
from lib.report.tables import Cell, Column, RichText, Table, change_text, duration_text, number_text, text_column

RATIO = "text_characters_per_token"


def tiles(scores: pd.DataFrame | None, seconds: float) -> list[tuple[str, str]]:
    """What the run achieved: (figure, what it is)."""
    shown = []
    if scores is not None:
        shown = [
            (change_text(percent), f"bits per character of {what}, against the base model; lower is better")
            for what, percent in changes(scores)
        ]
        longer = change(scores, RATIO, "pretrained")
        if longer is not None:
            shown.append((f"× {1 + longer / 100:.2f}", "characters per token of held-out text; higher is better"))
    if seconds:
        shown.append((duration_text(seconds), "computing time, all jobs added up"))
    return shown


def scores_table(scores: pd.DataFrame) -> Table:
    """Bits per character and characters per token of every model, the best of each column marked."""
    keys = [key for key in COLUMNS if scores[key].notna().any()]
    columns = [
        Column("characters per token", "of held-out text", "higher")
        if key == RATIO
        else Column(COLUMNS[key], "bits per character", "lower")
        for key in keys
    ]
    best = {key: scores[key].max() if key == RATIO else scores[key].min() for key in keys}
    rows = [
        [MODELS[row["model"]], *(_marked(row[key], is_best=row[key] == best[key]) for key in keys)]
        for _, row in scores.iterrows()
    ]
    return Table("Scores of every model", [text_column("model"), *columns], rows)


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
            *(_marked(row[name], is_best=row[name] == row.min()) for name in names),
        ]
        for part, row in grid.iterrows()
    ]
    return Table(title, [text_column(title), Column("size", "characters"), *columns], rows)


def _marked(value: float, *, is_best: bool) -> Cell:
    return RichText(number_text(value), is_best=True) if is_best else number_text(value)
