"""Formats of files, inferred from their names: one list for everything that is read."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from lib.core.errors import UserError
from lib.files import compression
from lib.settings.base import nearest_name

RECORDS = ("jsonl", "json", "csv", "tsv", "parquet")
"""Formats that hold records with fields."""
TEXTS = ("txt", "lines", "paragraphs", *RECORDS)
"""Formats whose text stands in them as it is."""
MARKUP = ("html", "mediawiki")
"""Formats whose text has to be extracted."""
ALL = (*TEXTS, *MARKUP)
ENDINGS = {
    ".txt": "txt",
    ".text": "txt",
    ".md": "txt",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_DUMP = re.compile("wiki|pages-articles|pages-meta")  # XML may be anything


def format_of(name: str | Path) -> str | None:
    """The format that a file's name tells, below an ending for compression; None when it tells none."""
    path = Path(name)
    if path.suffix.lower() in compression.ENDINGS:
        path = path.with_suffix("")
    if path.suffix.lower() == ".xml" and _DUMP.search(path.name.lower()):
        return "mediawiki"
    return ENDINGS.get(path.suffix.lower())


def check_format(name: str, known: Sequence[str] = ALL) -> None:
    """Raise UserError unless `name` is one of the `known` formats."""
    if name not in known:
        raise UserError(
            f"unknown format {name!r}; the nearest known one is {nearest_name(name, list(known))!r} "
            f"(known: {', '.join(known)})"
        )


def choose_formats(
    names: Sequence[str], uri: str, chosen: str, known: Collection[str] = ALL
) -> tuple[dict[str, str], list[str]]:
    """The format of each file, and the files that are ignored because their names tell none of the `known` ones.

    `chosen` holds for every file unless it is empty. A single file must have a format: by its own name, or by the
    address `uri` that it came from.
    """
    if chosen:
        return dict.fromkeys(names, chosen), []
    formats = {name: found for name in names if (found := format_of(name)) in known and found}
    if not formats and len(names) == 1 and (found := format_of(uri)) in known and found:
        formats = {names[0]: found}
    if not formats:
        endings = ", ".join(ending for ending, file_format in ENDINGS.items() if file_format in known)
        raise UserError(
            f"{uri}: cannot tell the format from the name ({', '.join(names[:3])}); fill in the sheet's column format, "
            f"or use a known ending ({endings})"
        )
    return formats, [name for name in names if name not in formats]
