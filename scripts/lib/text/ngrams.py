"""Hashes of character n-grams, vectorised over many documents.

Texts are compared by their letters and digits alone, whatever their case, width or script variant: a table maps every
code point to the one that stands for it (traditional to simplified Chinese by OpenCC's dictionary of characters) or to
nothing. One look-up per character replaces regular expressions and tokenizers, and needs no blanks between words.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl
from opencc import OpenCC

from lib.text.series import character_lengths

Codes = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]
Ends = npt.NDArray[np.int64]

BATCH_CHARACTERS = 1 << 22  # some 60 bytes of arrays for each character that is worked on at a time
_CODE_POINTS = 0x110000
_LETTERS_END = 0x40000  # of the planes that have letters
_BASE = 0x9E3779B97F4A7C15  # odd; of the polynomial that hashes a window
_MASK = (1 << 64) - 1


def folded_batches(
    texts: pl.Series, length: int, characters: int = BATCH_CHARACTERS
) -> Iterator[tuple[int, Codes, Ends]]:
    """Place of the first text, and `folded`, of about `characters` characters of consecutive texts at a time.

    A longer text takes several batches of its own. Each begins with the last `length` - 1 codes of the one before, so
    that every run of `length` codes stands in exactly one of them.
    """
    ends = np.cumsum(character_lengths(texts))
    start = 0
    while start < len(texts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + characters, side="right")))
        if ends[stop - 1] - done <= characters:
            yield start, *folded(texts[start:stop])
        else:
            text = texts[start]
            carried = np.zeros(0, np.uint32)
            for at in range(0, len(text), characters):
                codes = np.concatenate([carried, _letters(text[at : at + characters])[0]])
                yield start, codes, np.array([0, len(codes)])
                carried = codes[max(len(codes) - length + 1, 0) :]
        start = stop


def folded(texts: pl.Series) -> tuple[Codes, Ends]:
    """Code points of the letters and digits of all texts in a row, and where each text ends (first value: 0)."""
    codes, is_letter = _letters("".join(texts.to_list()))
    return codes, _ends(is_letter)[_ends(character_lengths(texts))]


def _letters(text: str) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """What the letters and digits of `text` are compared by, and which of its characters these are."""
    codes = _table()[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
    is_letter = codes != 0
    return codes[is_letter], is_letter


def ngram_hashes(codes: Codes, ends: Ends, length: int) -> tuple[Hashes, Ends]:
    """64-bit hash of every window of `length` codes that lies in one text, and where each text's windows end.

    A polynomial modulo 2**64 by repeated doubling, so that a long window costs a few passes, then mixed as MurmurHash3
    does. A text shorter than the window has none.
    """
    positions = windows(ends, length)
    return _mixed(_polynomial(codes, length)[positions]), _ends(np.maximum(np.diff(ends) - length + 1, 0))


def line_hashes(codes: Codes, ends: Ends) -> Hashes:
    """64-bit hash, never 0, of each text as a whole: the polynomial of `ngram_hashes` over all of its codes."""
    lengths = np.diff(ends)
    powers = np.ones(int(lengths.max(initial=1)), np.uint64)
    np.multiply.accumulate(np.full(len(powers) - 1, _BASE, np.uint64), out=powers[1:])
    terms = codes.astype(np.uint64) * powers[np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)]
    sums = np.append(np.uint64(0), np.cumsum(terms))  # of numbers that wrap around, so that differences are right
    return _mixed(sums[ends[1:]] - sums[ends[:-1]]) | np.uint64(1)


def windows(ends: Ends, length: int) -> Ends:
    """Where each window that `ngram_hashes` hashes begins."""
    sizes = np.diff(ends)
    starts = np.arange(ends[-1], dtype=np.int64)
    return starts[starts + length <= np.repeat(ends[1:], sizes)]


def combined(columns: npt.NDArray[np.uint32]) -> Hashes:
    """One 64-bit hash for each row of an array [rows, columns]; never 0."""
    hashes = np.zeros(len(columns), np.uint64)
    for column in columns.T:
        hashes = hashes * np.uint64(_BASE) + column
    return _mixed(hashes) | np.uint64(1)


def _polynomial(codes: Codes, length: int) -> Hashes:
    """sum(codes[i + j] * BASE**(length - 1 - j)) for every i at which a window fits, whatever text it is in."""
    values = codes.astype(np.uint64)
    hashes, size = values, 1
    for bit in bin(length)[3:]:
        power = np.uint64(pow(_BASE, size, 1 << 64))
        hashes = hashes[: len(hashes) - size] * power + hashes[size:] if len(hashes) > size else hashes[:0]
        size *= 2
        if bit == "1":
            hashes = hashes[:-1] * np.uint64(_BASE) + values[size : size + len(hashes) - 1] if len(hashes) else hashes
            size += 1
    return hashes


def _mixed(hashes: Hashes) -> Hashes:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(33))


def _ends(lengths: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Ends:
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends


@cache
def _table() -> Codes:
    """For every code point the one that it is compared by; 0 for all that are not letters or digits."""
    table = np.zeros(_CODE_POINTS, np.uint32)
    simplified = _simplified()
    for character in filter(str.isalnum, map(chr, range(_LETTERS_END))):
        for part in unicodedata.normalize("NFKC", character).casefold():
            if part.isalnum():  # the first one stands for the few that decompose into several
                table[ord(character)] = ord(simplified.get(part, part))
                break
    return table


def _simplified() -> dict[str, str]:
    """Traditional Chinese characters and their simplified forms, each taken by itself."""
    ranges = ((0x3400, 0xA000), (0xF900, 0xFB00), (0x20000, 0x33480))
    characters = "\n".join(chr(code) for first, end in ranges for code in range(first, end))
    converted = OpenCC("t2s").convert(characters)
    return {a: b for a, b in zip(characters.split("\n"), converted.split("\n"), strict=True) if a != b}
