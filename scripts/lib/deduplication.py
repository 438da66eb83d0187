"""Exact duplicates: documents whose normalised texts are the same."""

import hashlib

import polars as pl


def text_hashes(texts: pl.Series) -> pl.Series:
    """128-bit hash, as hex, of each text in NFKC and lower case, without white space."""
    normalised = texts.str.to_lowercase().str.normalize("NFKC").str.replace_all(r"\s+", "")
    return pl.Series(
        "hash",
        [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in normalised],
        dtype=pl.String,
    )
