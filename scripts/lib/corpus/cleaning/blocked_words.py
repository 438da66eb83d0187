"""Counting the words of a list in texts."""

from functools import cache

import polars as pl

from lib.core.errors import UserError
from lib.core.places import local_path


def count_words(texts: pl.Series, path: str) -> pl.Series:
    """How many of the words in the file `path` each text holds, every one counted once."""
    words = list(read_words(path))
    counts = pl.repeat(0, len(texts), dtype=pl.Int64, eager=True)
    rows = texts.str.contains_any(words, ascii_case_insensitive=True).arg_true()
    if len(rows):
        found = texts.gather(rows).str.extract_many(words, ascii_case_insensitive=True, overlapping=True)
        counts.scatter(rows, found.list.eval(pl.element().str.to_lowercase()).list.n_unique().cast(pl.Int64))
    return counts


@cache
def read_words(path: str) -> tuple[str, ...]:
    """The words of a UTF-8 file, one on each line; lines that begin with # are comments."""
    try:
        lines = local_path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"corpus.blocked_words: {path} cannot be read ({error}); it must be UTF-8, a word a line"
        ) from None
    words = tuple(dict.fromkeys(line.strip() for line in lines if line.strip() and not line.startswith("#")))
    if not words:
        raise UserError(f"corpus.blocked_words: {path} holds no words; write one on each line")
    return words
