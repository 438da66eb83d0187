import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lib.text.ngrams
from lib.text.ngrams import combined, folded, folded_batches, ngram_hashes, windows


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


def test_no_letter_or_digit_of_unicode_lies_beyond_those_that_are_looked_at() -> None:
    assert not any(chr(code).isalnum() for code in range(lib.text.ngrams._LETTERS_END, sys.maxunicode + 1))


@given(st.lists(st.text(alphabet="甲乙丙a，", max_size=12)), st.integers(1, 9))
def test_equal_windows_have_equal_hashes_and_no_window_spans_two_texts(texts: list[str], length: int) -> None:
    codes, ends = folded(pl.Series(texts, dtype=pl.String))
    hashes, last = ngram_hashes(codes, ends, length)
    expected = [text[i : i + length] for text in text_of(*texts) for i in range(len(text) - length + 1)]
    assert len(hashes) == len(expected) == last[-1]
    assert np.diff(last).tolist() == [max(0, len(text) - length + 1) for text in text_of(*texts)]
    assert len({*zip(hashes.tolist(), expected, strict=True)}) == len(set(expected)) == len(set(hashes.tolist()))
    assert ["".join(map(chr, codes[i : i + length])) for i in windows(ends, length)] == expected


@given(st.lists(st.text(alphabet="甲乙丙a，", max_size=30), max_size=8), st.integers(1, 9), st.integers(1, 40))
def test_every_window_is_in_one_batch(texts: list[str], length: int, characters: int) -> None:
    series = pl.Series(texts, dtype=pl.String)
    found: list[list[int]] = [[] for _ in texts]
    for first, codes, ends in folded_batches(series, length, characters):
        hashes, last = ngram_hashes(codes, ends, length)
        for row, (start, end) in enumerate(pairwise(last)):
            found[first + row] += hashes[start:end].tolist()
        assert len(codes) <= characters + length
    hashes, last = ngram_hashes(*folded(series), length)
    assert found == [hashes[start:end].tolist() for start, end in pairwise(last)]


def test_a_band_hashes_all_its_values() -> None:
    rows = np.array([[1, 2], [1, 2], [2, 1], [1, 3]], np.uint32)
    hashes = combined(rows)
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 3
