"""Points are chosen on one half of the texts and checked on the other."""

import math

import numpy as np
import pandas as pd
import pytest

from lib.core.errors import UserError
from lib.sweep.selection import checked_difference, checked_value, choosing_value, is_for_choosing, kept, of_metric

METRIC = "text_bits_per_character"


def items(bits: list[float], documents: list[str] | None = None) -> pd.DataFrame:
    """Pieces of 100 characters each, with these bits per character."""
    names = documents or [f"document {number}" for number in range(len(bits))]
    rows = {"figure": METRIC, "part": "novel", "document": names, "amount": np.array(bits) * 100, "size": 100.0}
    return pd.DataFrame(rows)


def test_whole_documents_are_in_one_half_where_there_are_enough() -> None:
    documents = [f"document {number // 2}" for number in range(24)]
    chosen = is_for_choosing(items([8.0] * 24, documents))
    assert chosen.sum() == 12
    assert (chosen[::2] == chosen[1::2]).all()
    few = is_for_choosing(items([8.0] * 24, ["one"] * 12 + ["two"] * 12))
    assert few.sum() == 12
    assert 0 < few[:12].sum() < 12


def test_values_are_those_of_each_half() -> None:
    chosen = is_for_choosing(items([0.0] * 20))
    one = items([7.0 if is_chosen else 9.0 for is_chosen in chosen])
    assert choosing_value(one) == pytest.approx(7)
    assert checked_value(one) == pytest.approx(9)


def test_a_difference_is_measured_on_the_half_that_was_not_chosen_by() -> None:
    chosen = is_for_choosing(items([0.0] * 40))
    noise = np.random.default_rng(1).normal(0, 0.01, 40)
    own = items([8.0] * 40)
    # Much better where it is chosen by, a little worse elsewhere.
    lucky = items(list(np.where(chosen, 7.0, 8.1) + noise))
    difference = checked_difference(lucky, own)
    assert difference.value == pytest.approx(0.1, abs=0.01)
    assert difference.verdict("lower") == "worse"
    same = checked_difference(items(list(8.0 + np.random.default_rng(2).normal(0, 0.5, 40))), own)
    assert same.verdict("lower") == "cannot tell"


def test_other_texts_are_not_compared() -> None:
    with pytest.raises(UserError, match="scored on different texts"):
        checked_difference(items([8.0] * 12), items([8.0] * 13))
    with pytest.raises(UserError, match="nothing was measured of response_bits_per_character"):
        of_metric(items([8.0]), "response_bits_per_character")


def test_the_lowest_are_kept_in_order_and_what_is_no_number_comes_last() -> None:
    assert kept([3.0, math.nan, 1.0, 2.0], 2) == [2, 3]
    assert kept([math.nan, math.inf, 1.0], 2) == [0, 2]
    assert kept([1.0, 1.0, 1.0], 2) == [0, 1]
