"""Intervals hold the figure as often as they claim, and say "cannot tell" when they should."""

import math

import numpy as np
import pytest

from lib.evaluation.intervals import (
    MINIMUM_UNITS,
    Interval,
    _student_t,
    independent_difference,
    ratio_interval,
    resampled_units,
)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(4, 2.776), (5, 2.571), (9, 2.262), (19, 2.093), (1000, 1.962)]
)  # tables of Student's t
def test_student_t_has_the_values_of_the_tables(freedom: int, quantile: float) -> None:
    assert _student_t(freedom) == pytest.approx(quantile, abs=0.02)


def test_the_figure_is_the_ratio_of_the_sums() -> None:
    interval = ratio_interval([1, 2, 3, 4, 10], [1, 1, 1, 1, 6])
    assert interval.value == 2.0
    assert interval.low < 2.0 < interval.high


@pytest.mark.parametrize("units", [6, 30])
def test_nineteen_of_twenty_intervals_hold_the_true_mean(units: int) -> None:
    random = np.random.default_rng(7)
    held = 0
    for _ in range(300):
        characters = random.integers(200, 400, units)
        nats = characters * random.normal(5.0, 1.0, units)
        interval = ratio_interval(nats, characters)
        held += interval.low <= 5.0 <= interval.high
    assert 0.90 <= held / 300 <= 0.99


def test_pieces_of_one_document_count_as_one() -> None:
    """Ten copies of each piece tell nothing new; taken for independent, they would shrink the interval by √10."""
    values = [3.0, 5.0, 4.0, 6.0, 2.0, 7.0]
    once = ratio_interval(values)
    copies = ratio_interval(np.repeat(values, 10), None, list(np.repeat(range(6), 10)))
    assert copies == once
    apart = ratio_interval(np.repeat(values, 10))
    assert apart.high - apart.low < (once.high - once.low) / 2


def test_a_paired_difference_is_not_blurred_by_what_makes_texts_hard() -> None:
    random = np.random.default_rng(3)
    hardness = random.normal(5.0, 2.0, 40)
    one, other = hardness, hardness + random.normal(0.1, 0.05, 40)
    paired = ratio_interval(other - one)
    assert paired.verdict("lower") == "worse"
    assert paired.verdict("higher") == "better"
    ones = np.ones(40)
    assert independent_difference((other, ones, None), (one, ones, None)).verdict("lower") == "cannot tell"


def test_runs_on_different_texts_are_told_apart_when_they_are_far_apart() -> None:
    random = np.random.default_rng(5)
    one, other = random.normal(5.0, 0.5, 30), random.normal(6.0, 0.5, 50)
    difference = independent_difference((one, np.ones(30), None), (other, np.ones(50), None))
    assert difference.value == pytest.approx(one.mean() - other.mean())
    assert difference.verdict("lower") == "better"


def test_too_few_documents_have_no_interval_and_tell_nothing() -> None:
    interval = ratio_interval([1.0] * (MINIMUM_UNITS - 1))
    assert interval.value == 1.0
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.verdict("lower") == "cannot tell"


def test_nothing_measured_is_no_figure() -> None:
    assert math.isnan(ratio_interval([]).value)


def test_of_too_few_documents_pieces_are_resampled() -> None:
    assert resampled_units(["a", "a", "b"]) == [0, 1, 2]
    documents = [*"abcde", "a"]
    assert resampled_units(documents) == documents


def test_intervals_repeat_and_scale() -> None:
    values = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0]
    assert ratio_interval(values) == ratio_interval(values)
    assert Interval(1.0, 0.5, 2.0).scaled(100, -100) == Interval(0.0, -50.0, 100.0)


def test_many_documents_take_bounded_memory() -> None:
    """Ten thousand resamples of this many documents would be 16 GB at once."""
    values = np.tile([0.0, 1.0], 100_000)
    interval = ratio_interval(values)
    deviation = 0.5 / math.sqrt(200_000)
    assert 1.8 < (interval.value - interval.low) / deviation < 2.2
    assert 1.8 < (interval.high - interval.value) / deviation < 2.2
