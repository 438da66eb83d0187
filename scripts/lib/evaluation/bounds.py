"""Bounds that the settings set to figures, and whether they are met."""

from collections.abc import Mapping

import pandas as pd

from lib.evaluation.figures import OVERALL
from lib.settings.evaluation import Bound, figure_of, required_figure

COLUMNS = ["model", "figure", "bound", "limit", "value", "met", "said"]


def bound_table(require: Mapping[str, Bound], figures: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """A row for each bound, from the tables of `figure_table` and `difference_table`.

    `value` is the figure, or its change against the base model; `said` is the row as a sentence. A figure that was not
    measured misses its bound.
    """
    overall = figures[figures["part"] == OVERALL].set_index(["model", "figure"])["value"]
    against_base = differences[differences["against"] == "base"].set_index(["model", "figure"])
    last = figures["model"].iloc[-1] if len(figures) else ""
    rows = []
    for name, bounds in require.items():
        model, figure = required_figure(name)
        key = (model or last, figure)
        known = figure_of(figure)
        is_relative = known is not None and known.is_relative
        change = "percent" if is_relative else "difference"
        for bound, limit in bounds.model_dump(exclude_none=True).items():
            is_change = bound.endswith("_change")
            measured, column = (against_base[change], change) if is_change else (overall, "value")
            value = float(measured[key]) if key in measured.index else float("nan")
            met = value >= limit if bound.startswith("minimum") else value <= limit
            unit = " %" if column == "percent" else ""
            found = "was not measured" if pd.isna(value) else f"is {value:g}{unit}"
            said = f"{'the change of ' if is_change else ''}{figure} of {key[0]} {found}; {bound} is {limit:g}{unit}"
            rows.append([*key, bound, limit, value, met, said])
    return pd.DataFrame(rows, columns=COLUMNS).astype({"met": bool})
