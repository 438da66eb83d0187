"""Random choices about documents that hang on their text and the seed alone.

Not on other documents, their order or the number of shards: so the result is the same for any number of shards, and
adding a document changes no other one's lot.
"""

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl


def draws(hashes: pl.Series, key: str) -> npt.NDArray[np.uint64]:
    """A number below 2**64 for each document, given by the hash of its text. Equal keys draw equal numbers."""
    digests = [hashlib.blake2b(f"{key}:{text_hash}".encode(), digest_size=8).digest() for text_hash in hashes]
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)


def are_below(numbers: npt.NDArray[np.uint64], share: float) -> npt.NDArray[np.bool_]:
    """Whether each number is among the lowest `share` of all that can be drawn."""
    if share >= 1:
        return np.ones(len(numbers), bool)
    return numbers < np.uint64(int(share * 2**64))


def are_held_out(hashes: pl.Series, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Whether each document belongs to validation."""
    return are_below(draws(hashes, f"{seed}"), fraction)


def copies(hashes: pl.Series, weight: float, seed: int) -> npt.NDArray[np.int64]:
    """How often each document is trained on: `weight` times on average, and as evenly as whole numbers allow."""
    whole = int(weight)
    return whole + are_below(draws(hashes, f"{seed}:weight"), weight - whole).astype(np.int64)


def places(hashes: pl.Series, seed: int) -> npt.NDArray[np.uint64]:
    """Place of each document in the queue when only some of a source's documents are taken."""
    return draws(hashes, f"{seed}:place")
