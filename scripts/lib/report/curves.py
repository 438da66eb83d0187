"""Loss curves as inline SVG that takes its colours from the page and is the same, byte for byte, for the same data."""

import io
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.report.html import Html

# Colours to draw with, and what the page replaces them by: so one drawing suits light and dark.
COLORS = {
    "#010101": "var(--ink-2)",
    "#020202": "var(--line)",
    "#030303": "var(--series-1)",
    "#040404": "var(--series-2)",
}
INK, LINE, TRAINING, VALIDATION = COLORS
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def read_log(path: Path) -> pd.DataFrame:
    """A trainer's log: at least the columns step, loss and eval_loss, empty where nothing was measured."""
    log = pd.read_csv(path, sep="\t")
    return log.reindex(columns=[*log.columns, *({"step", "loss", "eval_loss"} - set(log.columns))])


def loss_curve(log: pd.DataFrame, name: str) -> Html:
    """Training and validation loss against the step. `name` (letters only) keeps the drawings of a page apart."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.0), layout="constrained")
        axes = figure.add_subplot()
        for column, label, color in (("loss", "training", TRAINING), ("eval_loss", "validation", VALIDATION)):
            points = log.dropna(subset=[column])
            if not points.empty:
                # Single points are seen by their markers; a long line needs none.
                marker = "o" if column == "eval_loss" or len(points) == 1 else ""
                axes.plot(points["step"], points[column], label=label, color=color, marker=marker, ms=4, lw=1.8)
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("step")
        axes.set_ylabel("loss per token (nats)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if axes.lines:
            axes.legend(frameon=False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(buffer.getvalue(), name)


def _for_page(svg: str, name: str) -> Html:
    """The drawing without its XML header, with names of its own and the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    for drawn, shown in COLORS.items():
        svg = svg.replace(drawn, shown)
    return Html(svg)
