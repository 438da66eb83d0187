"""How much each setting matters, on points whose answer is known."""

import math
from itertools import product

import numpy as np
import pytest

from lib.sweep.importance import importance

GRID = [{"rate": rate, "rank": rank} for rate, rank in product((1e-4, 1e-3, 1e-2), (4, 8, 16))]


def test_what_decides_alone_explains_all() -> None:
    found = importance(GRID, [7 + 100 * point["rate"] for point in GRID])
    assert list(found) == ["rate", "rank"]
    assert found["rate"] == pytest.approx(1)
    assert found["rank"] == 0


def test_two_settings_share_what_they_explain() -> None:
    found = importance(GRID, [math.log10(point["rate"]) + math.log2(point["rank"]) for point in GRID])
    # Each has half of the variance. Chance takes a little off: 1 - (1/2 · 18 / 6) / (18 / 8) by Kelley's formula.
    assert found["rate"] == pytest.approx(1 / 3)
    assert found["rank"] == pytest.approx(1 / 3)


def test_chance_explains_little() -> None:
    random = np.random.default_rng(1)
    points = [{"rate": rate} for rate in random.uniform(1e-4, 1e-2, 400)]
    assert importance(points, list(random.normal(size=400)))["rate"] < 0.02


def test_many_values_are_grouped_in_their_order() -> None:
    points = [{"rate": rate} for rate in np.linspace(1, 2, 40)]
    assert importance(points, [point["rate"] for point in points])["rate"] == pytest.approx(0.93, abs=0.02)


def test_points_without_a_number_and_too_few_points() -> None:
    assert math.isnan(importance([{"rank": 4}, {"rank": 8}], [1.0, 2.0])["rank"])
    found = importance([*GRID, {"rate": 1, "rank": 1}], [*(point["rank"] for point in GRID), math.nan])
    assert found["rank"] == pytest.approx(1)
    assert importance(GRID, [7.0] * len(GRID)) == {"rate": 0.0, "rank": 0.0}
