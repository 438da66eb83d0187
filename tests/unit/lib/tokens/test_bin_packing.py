"""Bins hold every example once, none too much, and hardly any room is left."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.tokens.bin_packing import fill_bins


@given(st.lists(st.integers(min_value=1, max_value=40), max_size=60), st.integers(min_value=0, max_value=3))
def test_every_example_once_and_none_too_much(lengths: list[int], seed: int) -> None:
    bins = fill_bins(lengths, 40, seed)
    assert sorted(number for row in bins for number in row) == list(range(len(lengths)))
    assert all(sum(lengths[number] for number in row) <= 40 for row in bins)
    assert bins == fill_bins(lengths, 40, seed)
    # Of two rows, the second was opened because the first had no room for it.
    fullest = sorted(sum(lengths[number] for number in row) for row in bins)[:2]
    assert len(fullest) < 2 or sum(fullest) > 40


def test_little_room_is_left() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(np.log(120), 0.7, 5000), 16, 512).astype(int).tolist()
    assert len(fill_bins(lengths, 512, 1)) < 1.03 * sum(lengths) / 512


def test_an_example_longer_than_a_row() -> None:
    with pytest.raises(ValueError, match="example 1 has 9 tokens; a row holds 8"):
        fill_bins([8, 9], 8, 1)
