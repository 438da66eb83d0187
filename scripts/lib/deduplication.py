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


def find_duplicates(documents: pl.DataFrame, source: str) -> pl.DataFrame:
    """Documents of `source` that an earlier one repeats, as columns id and duplicate_of.

    `documents` has the columns source, id and hash, with the sources in order of preference; within a source, the
    lower id is the earlier one. The first document with a hash is never a duplicate.
    """
    order = documents["source"].unique(maintain_order=True)
    ranked = documents.with_columns(
        rank=pl.col("source").replace_strict(order, range(len(order)), return_dtype=pl.UInt32)
    )
    first = (
        # Ids are padded with zeros, but not for ever: the longer one is the later one.
        ranked.sort("rank", pl.col("id").str.len_bytes(), "id")
        .with_columns(duplicate_of=pl.col("id").first().over("hash"))
        .filter(pl.col("source") == source, pl.col("id") != pl.col("duplicate_of"))
    )
    return first.select("id", "duplicate_of")
