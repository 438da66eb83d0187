"""What points scored, and how sure it is that one is better than another.

The points are compared on one half of the held-out documents, and the winner is measured against the run's own settings
on the other half. On the half that it was chosen by, the best of many points looks better than it is: part of what made
it best is chance.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.core.errors import UserError
from lib.evaluation.figures import difference_interval, figure_interval
from lib.evaluation.intervals import MINIMUM_UNITS, Interval
from lib.evaluation.items import same_items


def of_metric(items: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The items of one figure; UserError when there are none."""
    found = items[items["figure"] == metric].reset_index(drop=True)
    if found.empty:
        raise UserError(f"settings: sweep.metric: nothing was measured of {metric}; raise sweep.max_characters")
    return found


def is_for_choosing(items: pd.DataFrame) -> NDArray[np.bool_]:
    """For each item, whether points are chosen by it; the others measure the winner.

    Whole documents are in one half where each half then has enough of them for an interval, else single items. The
    split depends on the texts alone, so that it is the same for all points.
    """
    units = list(items["document"])
    if len(set(units)) < 2 * MINIMUM_UNITS:
        units = [f"{document} {number}" for number, document in enumerate(units)]
    in_order = sorted(set(units), key=lambda unit: sha256(unit.encode()).digest())
    chosen = set(in_order[::2])
    return np.array([unit in chosen for unit in units])


def choosing_value(items: pd.DataFrame) -> float:
    """The figure of a point that it is chosen by."""
    return figure_interval(items[is_for_choosing(items)]).value


def checked_value(items: pd.DataFrame) -> float:
    """The figure of a point on the half that it is not chosen by."""
    return figure_interval(items[~is_for_choosing(items)]).value


def checked_difference(items: pd.DataFrame, own: pd.DataFrame) -> Interval:
    """How far a point is above the run's own settings on the half that it is not chosen by, with its interval."""
    if not same_items(items, own):
        raise UserError("sweep: points were scored on different texts; remove results/sweep/evaluation and run again")
    return difference_interval(items[~is_for_choosing(items)], own[~is_for_choosing(own)])


def kept(values: Sequence[float], number: int) -> list[int]:
    """Places of the `number` lowest values, in the order of places; what is not a number is last."""
    ranked = sorted(range(len(values)), key=lambda place: (not np.isfinite(values[place]), values[place], place))
    return sorted(ranked[:number])
