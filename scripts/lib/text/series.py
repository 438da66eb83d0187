"""What polars lacks for a series of texts."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, as the inside of a class for Python's `re`, which knows no scripts."""


def beside_blank(texts: pl.Series) -> pl.Series:
    """`texts` and an empty one behind them when there is only one.

    polars takes a series of one row for a constant, and copies it several times in whatever it does with it.
    """
    return pl.concat([texts, pl.Series([""])]) if len(texts) == 1 else texts


def content_of(text: pl.Series) -> bytes:
    """The first of some texts, in UTF-8."""
    content: bytes = text.cast(pl.Binary)[0]
    return content


def text_of(content: bytes) -> pl.Series:
    """A series of one text, given in UTF-8."""
    return pl.Series([content], dtype=pl.Binary).cast(pl.String)


def byte_lengths(texts: pl.Series) -> list[int]:
    """Bytes of each text in UTF-8."""
    return beside_blank(texts).str.len_bytes().to_list()[: len(texts)]


def character_lengths(texts: pl.Series) -> npt.NDArray[np.int64]:
    """Characters of each text."""
    return np.array(beside_blank(texts).str.len_chars()[: len(texts)], np.int64)


def count_characters(texts: pl.Series) -> int:
    """Number of characters in all `texts`."""
    return int(beside_blank(texts).str.len_chars().sum())


def mapped(texts: pl.Series, function: Callable[[str], str]) -> pl.Series:
    """`function` of each text, in Python: for rewriting the few texts that need it."""
    return pl.Series([function(text) for text in texts], dtype=pl.String)


def replaced(series: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """A copy of `series` with `values` at the positions `rows` (`scatter` alone changes the series it is called on)."""
    return series.clone().scatter(rows, values)
