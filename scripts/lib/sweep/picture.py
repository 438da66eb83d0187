"""The picture of a sweep: quality against time, and every point as a line through the axes of what varies."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from lib.sweep.points import DEFAULT

METRIC = "chosen_by"
INK = "#7a7e86"
"""Of text and axes: readable on a white page and on a dark one."""


def draw(table: pd.DataFrame, keys: Sequence[str], path: Path) -> None:
    """Draw the points of a table of `sweep` that were scored, as SVG; `keys` are the columns of what varies."""
    table = table[table[METRIC].notna()]
    with matplotlib.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "sweep",
            "font.size": 9,
            "axes.facecolor": "none",
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    ):
        figure = Figure(figsize=(9, 3.6), layout="constrained", facecolor="none")
        against_time, parallel = figure.subplots(1, 2)
        _against_time(against_time, table)
        _parallel(parallel, table[table["rung"] == table["rung"].max()], keys)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _against_time(axes: Axes, table: pd.DataFrame) -> None:
    column, label = ("seconds", "seconds of training") if table["seconds"].notna().all() else ("steps", "steps")
    for rung, rows in table.groupby("rung"):
        axes.scatter(rows[column], rows[METRIC], s=24, label=f"rung {rung}")
    for _, row in table.iterrows():
        name = "own" if row["point"] == DEFAULT else row["point"]
        axes.annotate(str(name), (row[column], row[METRIC]), xytext=(4, 3), textcoords="offset points", fontsize=8)
    axes.set_xlabel(label)
    axes.set_ylabel("bits per character, lower is better")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.5, color=INK, alpha=0.4)
    if table["rung"].nunique() > 1:
        axes.legend(frameon=False)


def _parallel(axes: Axes, table: pd.DataFrame, keys: Sequence[str]) -> None:
    """Parallel coordinates: an axis for each setting, its values in order and evenly apart, and one for the result."""
    levels = {key: _levels(table[key]) for key in keys}
    scale = Normalize(table[METRIC].min(), table[METRIC].max())
    colors = matplotlib.colormaps["viridis_r"]
    for _, row in table.sort_values(METRIC, ascending=False).iterrows():
        heights = [_place(levels[key], row[key]) for key in keys]
        height = float(scale(row[METRIC])) if table[METRIC].nunique() > 1 else 0.5
        style = "--" if row["point"] == DEFAULT else "-"
        axes.plot(range(len(keys) + 1), [*heights, height], style, color=colors(0.15 + 0.7 * (1 - height)), linewidth=2)
    for place, key in enumerate(keys):
        axes.axvline(place, color=INK, alpha=0.5, linewidth=0.8)
        for level in levels[key]:
            axes.annotate(
                level,
                (place, _place(levels[key], json.loads(level))),
                fontsize=8,
                xytext=(3, 2),
                textcoords="offset points",
            )
    axes.axvline(len(keys), color=INK, alpha=0.5, linewidth=0.8)
    for height, value in ((0.0, table[METRIC].min()), (1.0, table[METRIC].max())):
        axes.annotate(f"{value:.3f}", (len(keys), height), fontsize=8, xytext=(3, 2), textcoords="offset points")
    axes.set_xticks(range(len(keys) + 1), [*(key.replace(".", ".\n") for key in keys), "bits per\ncharacter"])
    axes.set_xlim(-0.1, len(keys) + 0.4)
    axes.set_yticks([])
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)


def _levels(values: pd.Series) -> list[str]:
    """The values in order, as JSON."""
    found = {json.dumps(value, ensure_ascii=False) for value in values.tolist()}
    return sorted(found, key=lambda text: (not isinstance(json.loads(text), int | float), _number(text), text))


def _number(text: str) -> float:
    value = json.loads(text)
    return float(value) if isinstance(value, int | float) else 0.0


def _place(levels: Sequence[str], value: Any) -> float:
    """How high a value is on its axis, from 0 to 1."""
    place = levels.index(json.dumps(value, ensure_ascii=False))
    return place / (len(levels) - 1) if len(levels) > 1 else 0.5
