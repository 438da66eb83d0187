"""Which part of a source each of several jobs reads.

The bytes of all files, one file behind another, are divided evenly. A large file of lines or of row groups is divided
itself; any other is read by the job in whose part it begins. All jobs together read every record once, and in order.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from lib.core.errors import UserError
from lib.files.spans import Span, is_divisible

DIVIDED_BYTES = 1 << 26
"""Size from which files are divided."""


class Part(NamedTuple):
    """One of the parts of a source."""

    number: int
    """From 1."""
    parts: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A part that is written `2-of-4`."""
        if found := re.fullmatch(r"([1-9]\d*)-of-([1-9]\d*)", text):
            return cls(int(found[1]), int(found[2]))
        raise UserError(f"--part {text!r} must be written like 2-of-4")

    def __str__(self) -> str:
        return f"{self.number}-of-{self.parts}"


WHOLE = Part(1, 1)


def part_names(parts: int) -> list[str]:
    """Names of all parts, in order."""
    return [str(Part(number, parts)) for number in range(1, parts + 1)]


def files_of_part(
    paths: Mapping[str, str], formats: Mapping[str, str], part: Part
) -> Iterator[tuple[str, Span | None]]:
    """Names of the files with `formats` that are read, and of those that others read, too, what is read of them."""
    if part == WHOLE:
        yield from ((name, None) for name in formats)
        return
    sizes = {name: os.stat(paths[name]).st_size for name in formats}
    total = sum(sizes.values())
    first, end = (total * number // part.parts for number in (part.number - 1, part.number))
    at = 0
    for name, size in sizes.items():
        if size >= DIVIDED_BYTES and is_divisible(Path(paths[name]), formats[name]):
            span = Span(max(first - at, 0), min(end - at, size))
            if span == (0, size):
                yield name, None
            elif span.start < span.end:
                yield name, span
        elif first <= at < end or (at == total and part.number == part.parts):  # nothing but empty files follows
            yield name, None
        at += size
