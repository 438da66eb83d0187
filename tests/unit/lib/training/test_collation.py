"""Batches: padding told apart by position, rows in order, and honest figures about what is wasted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.tokens.token_files import IGNORED_LABEL, TokenWriter, read_tokens
from lib.training.collation import OrderedRows, RowSizes, collate

END = 2
# Rows of labels, each of which is either masked or 7.
LABELS = st.lists(st.lists(st.sampled_from([IGNORED_LABEL, 7]), min_size=1, max_size=9), min_size=1, max_size=30)


def write(path: Path, rows: Sequence[dict[str, list[int]]]) -> Path:
    with TokenWriter(path, list(rows[0])) as writer:
        for row in rows:
            writer.add(**row)
    return path


def test_padding_is_masked_but_the_end_token_is_not() -> None:
    batch = collate([{"input_ids": [5, 6, END]}, {"input_ids": [7], "labels": [IGNORED_LABEL]}])
    assert batch["input_ids"].tolist() == [[5, 6, END], [7, 0, 0]]
    assert batch["labels"].tolist() == [[5, 6, END], [IGNORED_LABEL] * 3]
    assert set(batch) == {"input_ids", "labels"}


def test_padding_is_an_example_of_its_own() -> None:
    batch = collate([{"input_ids": [5, 6, 7, 8], "position_ids": [0, 1, 0, 1]}, {"input_ids": [9, 9]}])
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1], [0, 1, 0, 1]]


def test_rows_come_in_order_with_their_numbers(tmp_path: Path) -> None:
    data = read_tokens(write(tmp_path / "rows.arrow", [{"input_ids": [number]} for number in range(4)]))
    rows = OrderedRows(data, np.asarray([2, 0, 3]))
    batch = collate([rows[position] for position in range(len(rows))])
    assert batch["input_ids"].flatten().tolist() == batch["row"].tolist() == [2, 0, 3]


@settings(deadline=None)
@given(LABELS, st.integers(min_value=1, max_value=4))
def test_shares_are_those_of_the_batches(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], size: int
) -> None:
    path = tmp_path_factory.mktemp("shares") / "rows.arrow"
    data = read_tokens(write(path, [{"input_ids": [1] * len(labels), "labels": labels} for labels in rows]))
    sizes = RowSizes.of(data)
    assert sizes.tokens.tolist() == [len(labels) for labels in rows]
    assert sizes.longest_example == max(len(labels) for labels in rows)

    order = np.random.default_rng(0).permutation(len(rows))
    batches = [collate([data[int(row)] for row in order[start : start + size]]) for start in range(0, len(rows), size)]
    positions = sum(batch["input_ids"].numel() for batch in batches)
    tokens = sum(int(batch["input_ids"].sum()) for batch in batches)
    predicted = sum(int((batch["labels"][:, 1:] != IGNORED_LABEL).sum()) for batch in batches)
    shares = sizes.shares(order, size)
    assert shares["padding_share"] == pytest.approx(1 - tokens / positions, abs=1e-4)
    assert shares["masked_share"] == pytest.approx(1 - predicted / tokens, abs=1e-4)


def test_the_longest_example_of_packed_rows(tmp_path: Path) -> None:
    rows = [{"input_ids": [1] * 5, "position_ids": [0, 1, 2, 0, 1]}, {"input_ids": [1] * 3, "position_ids": [0, 1, 0]}]
    assert RowSizes.of(read_tokens(write(tmp_path / "rows.arrow", rows))).longest_example == 3
