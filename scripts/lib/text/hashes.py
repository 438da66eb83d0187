"""Hashes of texts: of normalised documents, to find exact duplicates, and of text as it is, to draw samples."""

import hashlib

import polars as pl

from lib.text.chunks import in_pieces, slices
from lib.text.series import replaced

_WHITE_SPACE = list("\t\n\x0b\x0c\r \x85\u1680\u2028\u2029")  # what NFKC leaves of it
_CAPITAL = r"\p{Changes_When_Lowercased}"


def text_hashes(texts: pl.Series) -> pl.Series:
    """128-bit hash, as hex, of each text in NFKC and lower case, without white space."""
    rows, pieces = in_pieces(texts)
    digests = [hashlib.blake2b(digest_size=16) for _ in range(len(texts))]
    done = 0
    for some, _ in slices(pieces):
        capital = some.str.contains(_CAPITAL).arg_true()
        small = replaced(some, capital, some.gather(capital).str.to_lowercase()) if len(capital) else some
        normalised = small.str.normalize("NFKC").str.replace_many(_WHITE_SPACE, [""]).cast(pl.Binary)
        for row, text in zip(rows[done : done + len(some)], normalised, strict=True):
            digests[row].update(text)
        done += len(some)
    return pl.Series("hash", [digest.hexdigest() for digest in digests], dtype=pl.String)


def checksum(text: str) -> int:
    """A number that looks random but is the same for the same text everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
