"""How much each setting matters: the share of the differences between points that its values explain.

For each setting by itself, points are grouped by its value, and ε² is the share of the variance of scores that lies
between the groups, less what so many groups would explain by chance (T. L. Kelley, An Unbiased Correlation Ratio
Measure, 1935). Of a setting with many values, a group is a quarter of the points in the order of its values.

It looks at one setting at a time. What two settings do only together is in no share, and in points that are no full
grid a setting gets a part of what another one does. A few points tell little: the chance that is taken off grows with
the number of groups.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MOST_GROUPS = 4


def importance(changes: Sequence[Mapping[str, Any]], scores: Sequence[float]) -> dict[str, float]:
    """ε² by key, from 0 to 1, the highest first; points whose score is not a number are left out.

    A share is NaN where there are too few points: one more than groups are needed.
    """
    usable = [place for place, score in enumerate(scores) if np.isfinite(score)]
    points, values = [changes[place] for place in usable], np.array([scores[place] for place in usable])
    shares = {key: _share([point[key] for point in points], values) for key in (changes[0] if changes else {})}
    return dict(sorted(shares.items(), key=lambda item: -np.nan_to_num(item[1], nan=-1)))


def _share(levels: Sequence[Any], scores: np.ndarray) -> float:
    groups = _groups(levels)
    number, points = len(set(groups)), len(scores)
    total = float(((scores - scores.mean()) ** 2).sum()) if points else 0.0
    if number < 2 or total == 0:
        return 0.0
    if points <= number:
        return float("nan")
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in _parts(groups, scores))
    return float(np.clip(1 - (within / (points - number)) / (total / (points - 1)), 0, 1))


def _parts(groups: Sequence[Any], scores: np.ndarray) -> list[np.ndarray]:
    found = np.array([list(dict.fromkeys(groups)).index(group) for group in groups])
    return [scores[found == group] for group in np.unique(found)]


def _groups(levels: Sequence[Any]) -> list[Any]:
    """The group of each point: its value, or for numbers of many values the quarter that it is in."""
    are_numbers = all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)
    names = [json.dumps(level, sort_keys=True) for level in levels]
    if not are_numbers or len(set(names)) <= MOST_GROUPS:
        return names
    ranks = np.searchsorted(np.unique(levels), levels)
    return list(ranks * MOST_GROUPS // len(np.unique(levels)))
