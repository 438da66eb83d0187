"""Tables of a page, and how figures are written in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from lib.report.charts import Chart

NOTHING = "–"


@dataclass(frozen=True)
class RichText:
    """Text with more to it."""

    text: str
    note: str = ""
    """Shown below it, in small print."""
    is_best: bool = False
    """The best of its column."""
    is_code: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar that fills `share` of its cell, and `lost` more in another colour; both of 1."""

    share: float
    lost: float = 0.0


Cell = str | RichText | Bar


@dataclass(frozen=True)
class Column:
    """A heading; with a unit and a direction where its figures have them."""

    title: str
    unit: str = ""
    better: Literal["", "lower", "higher"] = ""
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns."""

    label: str
    """What it holds, for those who cannot see it."""
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def text_column(title: str) -> Column:
    return Column(title, is_number=False)


def number_text(value: Any, digits: int = 3) -> str:
    """A figure: thousands apart, a few decimals, a dash where nothing was measured."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return NOTHING
    if isinstance(value, str):
        return value
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.{digits}f}"


def change_text(value: float | None) -> str:
    """A change in percent, with its sign."""
    return NOTHING if value is None else with_minus(f"{value:+.1f} %")


def with_minus(figures: str) -> str:
    """Text of figures with minus signs, which are as wide as the plus sign, for hyphens."""
    return figures.replace("-", "−")


def share_text(share: float) -> str:
    """A share as a percentage that is 100 % only for all."""
    return "100 %" if share == 1 else f"{min(100 * share, 99.9):.1f} %"


def duration_text(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def chart_summary(chart: Chart) -> Table:
    """The first, best and last value of each line, for those who cannot see or run the chart."""
    best = "highest" if chart.better == "higher" else "lowest"
    columns = [text_column(chart.y_label), *map(Column, ("first", best, f"at {chart.x_label}", "last"))]
    rows = [[label, *map(number_text, figures)] for label, *figures in chart.summary]
    return Table(chart.title, columns, rows)
