from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ngrams import batches, combined, folded, ngram_hashes, windows


def text_of(*texts: str) -> list[str]:
    codes, ends = folded(pl.Series(texts, dtype=pl.String))
    return ["".join(map(chr, codes[a:b])) for a, b in pairwise(ends)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ａ股（上証）涨 3.5%！", "a股上证涨35"),
        ("訓練，發展", "训练发展"),
        ("，。！ \n", ""),
        ("", ""),
        ("ﬁ", "f"),  # one character stands for one
        ("𠮷野家", "𠮷野家"),
    ],
)
def test_letters_and_digits_are_left_in_one_form(text: str, expected: str) -> None:
    assert text_of(text, "乙") == [expected, "乙"]


@given(st.lists(st.text(alphabet="甲乙丙a，", max_size=12)), st.integers(1, 9))
def test_equal_windows_have_equal_hashes_and_no_window_spans_two_texts(texts: list[str], length: int) -> None:
    codes, ends = folded(pl.Series(texts, dtype=pl.String))
    hashes, last = ngram_hashes(codes, ends, length)
    expected = [text[i : i + length] for text in text_of(*texts) for i in range(len(text) - length + 1)]
    assert len(hashes) == len(expected) == last[-1]
    assert np.diff(last).tolist() == [max(0, len(text) - length + 1) for text in text_of(*texts)]
    assert len({*zip(hashes.tolist(), expected, strict=True)}) == len(set(expected)) == len(set(hashes.tolist()))
    assert ["".join(map(chr, codes[i : i + length])) for i in windows(ends, length)] == expected


@given(st.lists(st.text(max_size=20)), st.integers(1, 30))
def test_batches_are_all_texts_in_order(texts: list[str], characters: int) -> None:
    parts = list(batches(pl.Series(texts, dtype=pl.String), characters))
    assert [text for part in parts for text in part] == texts
    assert all(len(part) == 1 or part.str.len_chars().sum() <= characters for part in parts)


def test_a_band_hashes_all_its_values() -> None:
    rows = np.array([[1, 2], [1, 2], [2, 1], [1, 3]], np.uint32)
    hashes = combined(rows)
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 3
