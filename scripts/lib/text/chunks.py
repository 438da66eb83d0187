"""Texts a few megabytes at a time, so that the memory of a step grows neither with documents nor with batches of them.

Most steps look at a line or at less, so that a long document can be cut where a line ends and put together again. One
without line breaks is cut where a sentence ends, else at a blank, else anywhere.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.text.series import beside_blank, byte_lengths, content_of, text_of

PIECE_BYTES = 1 << 22
"""Longest text, in UTF-8, that is worked on as a whole, and most of several texts together."""

_SENTENCE_ENDS = tuple(mark.encode() for mark in "。！？；")


def slices(texts: pl.Series) -> Iterator[tuple[pl.Series, bool]]:
    """`texts` in consecutive slices of `PIECE_BYTES`, or of one text that is longer, and whether it is. Never none."""
    start = size = 0
    for row, length in enumerate(byte_lengths(texts)):
        if row > start and size + length > PIECE_BYTES:
            yield texts.slice(start, row - start), size > PIECE_BYTES
            start, size = row, 0
        size += length
    yield texts.slice(start), size > PIECE_BYTES


def cut(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """UTF-8 in pieces of at most `PIECE_BYTES`, each with what joins it to the next: line breaks, a space or nothing.

    Pieces of a text that is cut have at least a quarter of `PIECE_BYTES`.
    """
    start = 0
    while len(text) - start > PIECE_BYTES:
        earliest, latest = start + PIECE_BYTES // 2, start + PIECE_BYTES * 3 // 4
        joint = b"\n"
        end = text.rfind(joint, earliest, latest)
        if end > start and text[end - 1 : end] == joint:  # an empty line between paragraphs
            joint, end = b"\n\n", end - 1
        if end < 0:
            joint = b""
            ends = (text.rfind(mark, earliest, latest) + len(mark) for mark in _SENTENCE_ENDS)
            end = max((end for end in ends if end > earliest), default=-1)
        if end < 0:
            joint = b" "
            end = text.rfind(joint, earliest, latest)
        if end < 0:
            joint = b""
            end = latest
            while text[end] & 0xC0 == 0x80:  # within a character
                end -= 1
        yield text[start:end], joint
        start = end + len(joint)
    yield text[start:], b""


def joined(pieces: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What `cut` gave, together again; an empty piece goes with the joint behind it."""
    whole: list[bytes] = []
    for piece, joint in pieces:
        if piece:
            whole += (piece, joint)
    return b"".join(whole[:-1])


def in_pieces(texts: pl.Series) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """All texts, long ones cut into pieces, and for each piece the row of the text that it is from."""
    lengths = byte_lengths(texts)
    if max(lengths, default=0) <= PIECE_BYTES:
        return np.arange(len(texts)), texts
    rows: list[int] = []
    pieces: list[pl.Series] = []
    for row, length in enumerate(lengths):
        text = texts.slice(row, 1)
        if length > PIECE_BYTES:
            text = pl.concat([text_of(piece) for piece, _ in cut(content_of(text))])
        pieces.append(text)
        rows += [row] * len(text)
    return np.array(rows), pl.concat(pieces)


def rewritten(function: Callable[[pl.Series], pl.Series], texts: pl.Series) -> pl.Series:
    """`function` of all texts, of long ones piece by piece."""

    def of_piece(piece: bytes) -> bytes:
        return content_of(function(beside_blank(text_of(piece))))

    def of_long(text: pl.Series) -> pl.Series:
        return text_of(joined((of_piece(piece), joint) for piece, joint in cut(content_of(text))))

    return pl.concat([(of_long if is_long else function)(some) for some, is_long in slices(texts)])
