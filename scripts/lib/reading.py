"""Documents out of files: text, HTML, JSONL, JSON, CSV, TSV, Parquet; plain or compressed; in whatever encoding.

Everything is read once, from front to back, in pieces; only formats in which a file is one document (txt, html) hold
a whole file in memory.
"""

import bz2
import csv
import gzip
import json
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from lib.decoding import Decoder
from lib.errors import UserError
from lib.settings.base import nearest_name

BLOCK_BYTES = 1 << 20
PARQUET_ROWS = 1_000
DEFAULT_FIELD = "text"
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


@dataclass
class Seen:
    """What reading found out about the bytes."""

    encodings: Counter[str] = field(default_factory=Counter)
    """Files by encoding."""
    undecodable_bytes: int = 0
    """Bytes that stand for no character; each run of them is read as one U+FFFD."""


def format_of(name: str | Path) -> str | None:
    """The format that a file's name tells, below an ending for compression; None when it tells none."""
    path = Path(name)
    if path.suffix.lower() in (".gz", ".bz2", ".xz", ".zst"):
        path = path.with_suffix("")
    return ENDINGS.get(path.suffix.lower())


def check_format(name: str) -> None:
    """Raise UserError unless `name` is a format that can be read."""
    if name not in READERS:
        raise UserError(
            f"unknown format {name!r}; the nearest known one is {nearest_name(name, list(READERS))!r} "
            f"(known: {', '.join(READERS)})"
        )


def read_documents(path: Path, file_format: str, text_field: str, seen: Seen) -> Iterator[str]:
    """The documents of one file in order; fills `seen` on the way.

    `text_field` names the field of records that holds the text ("" for the default one). Raises UserError with
    file and line or record for whatever cannot be read.
    """
    check_format(file_format)
    return READERS[file_format](path, text_field or DEFAULT_FIELD, seen)


def _read_whole(path: Path, _: str, seen: Seen) -> Iterator[str]:
    """The file is one document."""
    yield "".join(_decoded(path, seen))


def _read_lines(path: Path, _: str, seen: Seen) -> Iterator[str]:
    """Every line that is not blank is a document."""
    for line in _lines(path, seen):
        if line.strip():
            yield line.rstrip("\r\n")


def _read_paragraphs(path: Path, _: str, seen: Seen) -> Iterator[str]:
    """Every run of lines between blank lines is a document."""
    block: list[str] = []
    for line in _lines(path, seen):
        if line.strip():
            block.append(line)
        elif block:
            yield "".join(block).rstrip("\r\n")
            block = []
    if block:
        yield "".join(block).rstrip("\r\n")


def _read_jsonl(path: Path, text_field: str, seen: Seen) -> Iterator[str]:
    """Every line is a JSON object with the field, or a string."""
    for number, line in enumerate(_lines(path, seen), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{where}: broken JSON ({error.msg}, column {error.colno}); mend or remove the line"
            ) from None
        yield _text_of(record, text_field, where, seen)


def _read_json(path: Path, text_field: str, seen: Seen) -> Iterator[str]:
    """The file is a list of objects with the field, or of strings. Read record by record: the list may be large."""
    file = _Utf8(_decoded(path, seen))
    start = file.peek()
    if start != b"[":
        hint = "; for one object a line, set the format to jsonl" if start == b"{" else ""
        raise UserError(f"{path}: not a JSON list of documents{hint}")
    number = 0
    try:
        for number, record in enumerate(ijson.items(file, "item", use_float=True), 1):
            yield _text_of(record, text_field, f"{path}, record {number}", seen)
    except ijson.JSONError as error:
        reason = re.sub(r"\s+", " ", str(error).partition("\n")[0]).strip()
        raise UserError(f"{path}: broken JSON after record {number} ({reason}); mend the file") from None


def _read_csv(path: Path, text_field: str, seen: Seen, delimiter: str = ",") -> Iterator[str]:
    """A header line, then records. Fields with quotation marks, delimiters or line breaks are quoted."""
    csv.field_size_limit(2**31 - 1)
    # Strict, since the csv module otherwise swallows whole rows after a stray quotation mark.
    rows = csv.reader(_lines(path, seen), delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        if text_field not in header:
            raise UserError(f"{path}, line 1: no column {text_field!r}; {_name_fields(header)}")
        column = header.index(text_field)
        for row in rows:
            if row and len(row) <= column:
                raise UserError(
                    f"{path}, line {rows.line_num}: {len(row)} cells, too few to reach column {text_field!r}"
                )
            if row:
                yield row[column]
    except csv.Error as error:
        raise UserError(
            f"{path}, line {rows.line_num}: broken record ({error}); a field that begins with a quotation mark must be "
            "quoted as a whole"
        ) from None


def _read_tsv(path: Path, text_field: str, seen: Seen) -> Iterator[str]:
    """As CSV, with tabs."""
    return _read_csv(path, text_field, seen, delimiter="\t")


def _read_parquet(path: Path, text_field: str, seen: Seen) -> Iterator[str]:
    """Every row is a document."""
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    with file:
        if text_field not in file.schema_arrow.names:
            raise UserError(f"{path}: no column {text_field!r}; {_name_fields(file.schema_arrow.names)}")
        seen.encodings["utf-8"] += 1
        number = 0
        for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=[text_field]):
            for value in batch.column(0).to_pylist():
                number += 1
                yield _text_of(value, text_field, f"{path}, record {number}", seen)


READERS: dict[str, Callable[[Path, str, Seen], Iterator[str]]] = {
    "txt": _read_whole,
    "html": _read_whole,
    "lines": _read_lines,
    "paragraphs": _read_paragraphs,
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "parquet": _read_parquet,
}

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can spell them (`"\ud800"`), but they are no characters


def _text_of(record: Any, text_field: str, where: str, seen: Seen) -> str:
    """Text of a record, a string or a mapping with `text_field`. A null is an empty text."""
    if isinstance(record, dict):
        if text_field not in record:
            raise UserError(f"{where}: no field {text_field!r}; {_name_fields(list(record))}")
        record = record[text_field]
    if record is None:
        return ""
    if not isinstance(record, str):
        raise UserError(f"{where}: {text_field!r} must be a string, not {type(record).__name__}")
    text, lone = _LONE_SURROGATE.subn("\ufffd", record)
    seen.undecodable_bytes += lone
    return text


def _name_fields(fields: list[str]) -> str:
    """What to tell a user who named a field that is not there."""
    found = ", ".join(fields) or "none"
    return f"found: {found}; name the one with the text in the sheet's column text_field"


def _lines(path: Path, seen: Seen) -> Iterator[str]:
    """Lines with their line breaks."""
    pieces: list[str] = []
    for text in _decoded(path, seen):
        *ended, rest = text.split("\n")
        for line in ended:
            yield "".join((*pieces, line, "\n"))
            pieces.clear()
        pieces.append(rest)
    if last := "".join(pieces):
        yield last


def _decoded(path: Path, seen: Seen) -> Iterator[str]:
    """Text of a file, in pieces."""
    decoder = Decoder()
    for block in _blocks(path):
        yield decoder.decode(block)
    yield decoder.finish()
    seen.encodings[decoder.encoding] += 1
    seen.undecodable_bytes += decoder.undecodable_bytes


def _blocks(path: Path) -> Iterator[bytes]:
    """Bytes of a file, unpacked."""
    try:
        with _open(path) as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def _open(path: Path) -> BinaryIO | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    """Open for reading; compression is told by the first bytes, since a download may have lost its name."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if start.startswith(b"BZh"):
        return bz2.open(path)
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.open(path)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        raise UserError(f"{path} is compressed with Zstandard, which is not supported; unpack it or use gz, bz2 or xz")
    return path.open("rb")


class _Utf8:
    """A binary file of UTF-8 over pieces of text, as ijson wants it."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._buffer = b""

    def peek(self) -> bytes:
        """The first byte that is not white space; b"" when there is none."""
        while not self._buffer.strip() and self._fill():
            pass
        return self._buffer.lstrip()[:1]

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size and self._fill():
            pass
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _fill(self) -> bool:
        text = next(self._texts, None)
        self._buffer += (text or "").encode()
        return text is not None
