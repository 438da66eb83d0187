"""The order of examples: every pass complete, length groups local, the same for the same seed."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib.tokens.order import BATCHES_SORTED_TOGETHER, group_by_length, number_of_steps, shuffled

sizes = st.integers(min_value=1, max_value=50)


@given(sizes, st.integers(min_value=1, max_value=200), st.integers(min_value=0, max_value=9))
def test_each_pass_sees_every_row_once(examples: int, needed: int, seed: int) -> None:
    order = shuffled(examples, needed, seed)
    assert len(order) == needed
    for start in range(0, needed, examples):
        rows = order[start : start + examples]
        assert len(set(rows)) == len(rows)
    assert set(order) <= set(range(examples))
    assert (order == shuffled(examples, needed, seed)).all()


@given(
    st.lists(st.integers(min_value=1, max_value=500), min_size=1, max_size=300), st.integers(min_value=1, max_value=4)
)
def test_grouping_rearranges_within_windows(lengths: list[int], batch: int) -> None:
    order = shuffled(len(lengths), len(lengths), 1)
    grouped = group_by_length(order, np.asarray(lengths), batch, 1)
    window = batch * BATCHES_SORTED_TOGETHER
    for start in range(0, len(order), window):
        assert Counter(grouped[start : start + window]) == Counter(order[start : start + window])


def test_grouping_saves_padding() -> None:
    lengths = np.random.default_rng(0).integers(10, 400, 512)
    order = shuffled(512, 512, 0)

    def padded(rows: np.ndarray) -> int:
        return int(sum(lengths[rows[i : i + 8]].max() * 8 for i in range(0, 512, 8)))

    assert padded(group_by_length(order, lengths, 8, 0)) < 0.7 * padded(order)


def test_number_of_steps() -> None:
    assert number_of_steps(100, 8, 1, None) == 13
    assert number_of_steps(100, 8, 2.5, None) == 32
    assert number_of_steps(100, 8, 1, 5) == 5
    assert number_of_steps(1, 8, 1, None) == 1
