"""Random choices about documents that hang on their text and the seed alone.

Not on other documents, their order or the number of shards: so the result is the same for any number of shards, and
adding a document changes no other one's lot.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.corpus.storage.shards import Counts, add


def draws(hashes: pl.Series, key: str) -> npt.NDArray[np.uint64]:
    """A number below 2**64 for each document, given by the hash of its text. Equal keys draw equal numbers."""
    digests = [hashlib.blake2b(f"{key}:{text_hash}".encode(), digest_size=8).digest() for text_hash in hashes]
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)


def are_below(numbers: npt.NDArray[np.uint64], share: float) -> npt.NDArray[np.bool_]:
    """Whether each number is among the lowest `share` of all that can be drawn."""
    if share >= 1:
        return np.ones(len(numbers), bool)
    return numbers < np.uint64(int(share * 2**64))


def validation_draws(hashes: pl.Series, seed: int) -> npt.NDArray[np.uint64]:
    """What decides whether each document belongs to validation: the lowest numbers do."""
    return draws(hashes, f"{seed}")


def are_held_out(hashes: pl.Series, fraction: float, seed: int, nearest: str | None = None) -> npt.NDArray[np.bool_]:
    """Whether each document belongs to validation; the one with the hash `nearest` does in any case."""
    held_out = are_below(validation_draws(hashes, seed), fraction)
    return held_out | np.asarray(hashes == (nearest or ""), np.bool_)


def copies(hashes: pl.Series, weight: float, seed: int) -> npt.NDArray[np.int64]:
    """How often each document is trained on: `weight` times on average, and as evenly as whole numbers allow."""
    whole = int(weight)
    return whole + are_below(draws(hashes, f"{seed}:weight"), weight - whole).astype(np.int64)


def places(hashes: pl.Series, seed: int) -> npt.NDArray[np.uint64]:
    """Place of each document in the queue when only some of a source's documents are taken."""
    return draws(hashes, f"{seed}:place")


def mixed(documents: pl.DataFrame, mix: dict[str, Any], seed: int, counts: Counts) -> pl.DataFrame:
    """Columns id and text of `documents` (id, text, hash), each as often as it is trained on, with ids of their own.

    Adds what is left out (`weight`, `max_characters`) and what is taken once more (`repeat`) to `counts`. A document
    that is taken twice has ids that end in nothing and #2.
    """
    times = copies(documents["hash"], mix["weight"], seed)
    queue = places(documents["hash"], seed)
    in_time = queue < mix["before"] if mix["before"] is not None else np.ones(len(queue), bool)
    add(counts, "weight", documents.filter(pl.Series(times == 0)))
    add(counts, "max_characters", documents.filter(pl.Series((times > 0) & ~in_time)))
    taken = documents.with_columns(times=pl.Series(times)).filter(pl.Series((times > 0) & in_time))
    add(counts, "repeat", _repeated(taken, first=2))
    return _repeated(taken, first=1)


def _repeated(documents: pl.DataFrame, first: int) -> pl.DataFrame:
    """Columns id and text of all copies, from the `first` on, of which the column `times` says how many there are."""
    if first == 1 and (documents["times"] == 1).all():
        return documents.select("id", "text")
    documents = documents.filter(pl.col("times") >= first)
    copy = pl.int_ranges(first, pl.col("times") + 1)
    suffix = pl.when(pl.col("copy") > 1).then(pl.format("#{}", "copy")).otherwise(pl.lit(""))
    return documents.with_columns(copy=copy).explode("copy").select(pl.col("id") + suffix, "text")
