"""Figures of every model with their intervals, and the differences between models, out of what was measured."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lib.evaluation.intervals import Interval, independent_difference, ratio_interval, resampled_units
from lib.evaluation.items import same_items
from lib.settings.evaluation import figure_of

DIGITS = 4
OVERALL = "all"
"""The part that stands for all parts together."""
FIGURE_COLUMNS = ["model", "figure", "part", "value", "low", "high", "items", "documents"]
DIFFERENCE_COLUMNS = [
    *("model", "against", "figure", "difference", "difference_low", "difference_high"),
    *("percent", "percent_low", "percent_high", "verdict"),
]


def figure_table(measured: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per model, figure and part, the part `all` first; `measured` holds the items of each model."""
    rows = []
    for model, items in measured.items():
        for (figure, part), group in _groups(items):
            row = {"model": model, "figure": figure, "part": part, **_columns("", figure_interval(group))}
            rows.append(row | {"items": len(group), "documents": group["document"].nunique()})
    return pd.DataFrame(rows, columns=FIGURE_COLUMNS)


def difference_table(measured: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per figure and pair of models, the later one against the earlier one, on the same items.

    `difference` is in the figure's unit, `percent` in percent of the earlier model's figure where that makes sense.
    """
    rows = []
    models = list(measured)
    for place, model in enumerate(models):
        for against in models[:place]:
            for figure in dict.fromkeys(measured[model]["figure"]):
                one, other = (frame[frame["figure"] == figure] for frame in (measured[model], measured[against]))
                if same_items(one, other):
                    rows.append({"model": model, "against": against, "figure": figure, **_compared(figure, one, other)})
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def figure_interval(items: pd.DataFrame) -> Interval:
    """A figure over `items`, with its interval; without one where all items are alike, as resampling shows nothing."""
    found = ratio_interval(items["amount"], items["size"], resampled_units(list(items["document"])))
    return Interval(found.value) if found.low == found.high else found


def difference_interval(one: pd.DataFrame, other: pd.DataFrame) -> Interval:
    """The figure of `one` less that of `other`: paired where both were measured on the same items."""
    if same_items(one, other):
        amounts = one["amount"].to_numpy() - other["amount"].to_numpy()
        return ratio_interval(amounts, one["size"], resampled_units(list(one["document"])))
    first, second = (
        (items["amount"], items["size"], resampled_units(list(items["document"]))) for items in (one, other)
    )
    return independent_difference(first, second)


def _compared(figure: str, one: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    known = figure_of(figure)
    difference = difference_interval(one, other)
    row = _columns("difference", difference)
    if known and known.is_relative:
        units = resampled_units(list(one["document"]))
        row |= _columns("percent", ratio_interval(one["amount"], other["amount"], units).scaled(100, -100))
    return row | {"verdict": difference.verdict(known.better if known else "higher")}


def _columns(name: str, interval: Interval) -> dict[str, float]:
    names = (name or "value", *(f"{name}_{bound}".lstrip("_") for bound in ("low", "high")))
    return dict(zip(names, (round(f, DIGITS) for f in (interval.value, interval.low, interval.high)), strict=True))


def _groups(items: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    for figure, group in items.groupby("figure", sort=False):
        yield (str(figure), OVERALL), group
        parts = list(group.groupby("part", sort=True))
        if len(parts) > 1:
            yield from (((str(figure), str(part)), one) for part, one in parts)
