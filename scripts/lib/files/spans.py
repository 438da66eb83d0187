"""Parts of large files, which several jobs read without reading anything twice.

A record belongs to the part in which it begins. Bytes are those of the file on disk, so nothing packed can be divided.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lib.files.compression import BLOCK_BYTES, is_packed

LINES = ("lines", "jsonl")
"""Formats of which every line is a record."""
DIVISIBLE = (*LINES, "parquet")


class Span(NamedTuple):
    """Bytes of a file, from `start` up to `end`."""

    start: int
    end: int


def is_divisible(path: Path, file_format: str) -> bool:
    """Whether records can be found from any byte of the file on."""
    if file_format not in LINES:
        return file_format == "parquet"
    with path.open("rb") as file:
        head = file.read(BLOCK_BYTES)
    # UTF-16 and UTF-32 have other line breaks, and no text in another encoding has zeros.
    return not is_packed(head) and b"\0" not in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))


def lines_of_span(path: Path, span: Span) -> Iterator[bytes]:
    """The lines of a file that begin in the span, in blocks of at most BLOCK_BYTES."""
    with path.open("rb") as file:
        at = _next_line(file.name, span.start)
        end = _next_line(file.name, span.end)
        file.seek(at)
        while at < end and (block := file.read(min(BLOCK_BYTES, end - at))):
            at += len(block)
            yield block


def _next_line(path: str, place: int) -> int:
    """Where the first line begins that begins at `place` or behind it; the size of the file when there is none."""
    if not place:
        return 0
    with open(path, "rb") as file:
        at = file.seek(place - 1)
        while block := file.read(BLOCK_BYTES):
            found = block.find(b"\n")
            if found >= 0:
                return at + found + 1
            at += len(block)
    return at
