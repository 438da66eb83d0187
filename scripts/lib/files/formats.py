"""Formats of files, inferred from their names: one list for everything that is read."""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from lib.core.errors import UserError
from lib.files import compression
from lib.settings.base import nearest_name

RECORDS = ("jsonl", "json", "csv", "tsv", "parquet")
"""Formats that hold records with fields."""
TEXTS = ("txt", "lines", "paragraphs", *RECORDS)
"""Formats whose text stands in them as it is."""
EXTRACTED = ("html", "mediawiki", "warc", "epub", "docx", "pdf", "srt", "po")
"""Formats whose text has to be extracted."""
ARCHIVES = ("zip", "tar")
"""Formats that hold files of any format."""
ALL = (*TEXTS, *EXTRACTED, *ARCHIVES)
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
    ".warc": "warc",
    ".wet": "warc",
    ".epub": "epub",
    ".docx": "docx",
    ".pdf": "pdf",
    ".srt": "srt",
    ".po": "po",
    ".zip": "zip",
    ".tar": "tar",
    **dict.fromkeys((".tgz", ".tbz", ".tbz2", ".txz", ".tzst"), "tar"),
}
CONVERSIONS = {
    ".doc .odt .rtf .wps": "soffice --headless --convert-to docx",
    ".xls .xlsx .ods": "soffice --headless --convert-to csv",
    ".mobi .azw .azw3 .fb2 .chm .lit": "ebook-convert FILE FILE.epub",
    ".djvu": "djvutxt FILE FILE.txt",
    ".ps": "ps2pdf",
    ".rar .7z .cab .iso": "7z x",
    ".tex .rst .org .adoc .ipynb .textile": "pandoc --to plain",
    ".ass .ssa .vtt": "ffmpeg -i FILE FILE.srt",
}
"""Commands that turn files of other formats into known ones, by their endings."""
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
            f"(known: {', '.join(known)}){conversions([f'.{name}'])}"
        )


def conversions(names: Iterable[str | Path]) -> str:
    """How files of unknown formats are converted, by the endings of `names`, to put behind a message; "" if unknown."""
    endings = {Path(f"x{name}").suffix.lower() for name in names}
    found = {command: endings & set(known.split()) for known, command in CONVERSIONS.items()}
    hints = [f"{', '.join(sorted(matching))} with `{command}`" for command, matching in found.items() if matching]
    return f"; convert {'; '.join(hints)}" if hints else ""


def choose_formats(
    names: Sequence[str], uri: str, chosen: str, known: Collection[str] = ALL
) -> tuple[dict[str, str], list[str]]:
    """The format of each file, and the files that are ignored because their names tell none of the `known` ones.

    `chosen` holds for every file unless it is empty; of an archive, for the files in it. A single file must have a
    format: by its own name, or by the address `uri` that it came from.
    """
    if chosen:
        archives = set(ARCHIVES).intersection(known)
        return {name: found if (found := format_of(name)) in archives and found else chosen for name in names}, []
    formats = {name: found for name in names if (found := format_of(name)) in known and found}
    if not formats and len(names) == 1 and (found := format_of(uri)) in known and found:
        formats = {names[0]: found}
    if not formats:
        endings = ", ".join(ending for ending, file_format in ENDINGS.items() if file_format in known)
        raise UserError(
            f"{uri}: cannot tell the format from the name ({', '.join(names[:3])}); fill in the sheet's column format, "
            f"or use a known ending ({endings}){conversions(names)}"
        )
    return formats, [name for name in names if name not in formats]
