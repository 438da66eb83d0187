"""Documents out of files: text, HTML, manual pages, MediaWiki dumps, JSONL, JSON, CSV, TSV, Parquet.

Plain or compressed, in whatever encoding.

Everything is read once, from front to back, in pieces; no more than one document is held in memory, and of one that is
longer than the settings allow only the beginning.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.corpus.extraction.html_page import is_page
from lib.corpus.extraction.mediawiki import articles
from lib.corpus.reading.csv_records import BrokenRecord, csv_records
from lib.files import compression
from lib.files.json_records import JsonError, json_records
from lib.files.limits import EXCERPT_CHARACTERS, Collector, TooLong
from lib.files.text_files import Broken, Seen, TextFile
from lib.settings.base import nearest_name
from lib.settings.corpus import ReadingSettings

PARQUET_BATCH_BYTES = 1 << 24
PARQUET_BATCH_ROWS = 1_000
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
_DUMP = re.compile("wiki|pages-articles|pages-meta")  # XML may be anything


def format_of(name: str | Path) -> str | None:
    """The format that a file's name tells, below an ending for compression; None when it tells none."""
    path = Path(name)
    if path.suffix.lower() in compression.ENDINGS:
        path = path.with_suffix("")
    if path.suffix.lower() == ".xml" and _DUMP.search(path.name.lower()):
        return "mediawiki"
    return ENDINGS.get(path.suffix.lower())


def check_format(name: str) -> None:
    """Raise UserError unless `name` is a format that can be read."""
    if name not in READERS:
        raise UserError(
            f"unknown format {name!r}; the nearest known one is {nearest_name(name, list(READERS))!r} "
            f"(known: {', '.join(READERS)})"
        )


def read_documents(
    path: Path, file_format: str, text_field: str, seen: Seen, settings: ReadingSettings
) -> Iterator[str | Broken]:
    """The documents of one file in order, and the records that cannot be read; fills `seen` on the way.

    `text_field` names the field of records that holds the text ("" for the default one); see `text_of`. An empty file
    has no documents. Raises UserError with file and line or record when the file as a whole cannot be read, and for
    any broken record if the settings say so.
    """
    check_format(file_format)
    documents = READERS[file_format](TextFile(path, seen, settings), text_field or DEFAULT_FIELD)
    if settings.on_broken_record == "quarantine":
        return documents

    def stopping_at_broken(document: str | Broken) -> str | Broken:
        if isinstance(document, Broken):
            raise UserError(
                f"{path}, {document.position}: {document.reason}; mend it, or set corpus.on_broken_record to quarantine"
            )
        return document

    return map(stopping_at_broken, documents)


def _read_whole(file: TextFile, _: str) -> Iterator[str | Broken]:
    """The file is one document."""
    text = file.whole()
    if isinstance(text, TooLong):
        yield file.too_long("line 1", text)
    elif text:
        yield text


def _read_html(file: TextFile, _: str) -> Iterator[str | Broken]:
    """The file is a page. Its main text is taken by the cleaning step strip_html, in parallel."""
    for text in _read_whole(file, ""):
        is_bare = isinstance(text, str) and not is_page(text)
        yield f"<!doctype html>\n{text}" if is_bare else text


def _read_lines(file: TextFile, _: str) -> Iterator[str | Broken]:
    """Every line that is not blank is a document."""
    for number, line in enumerate(file.lines(), 1):
        if isinstance(line, TooLong):
            yield file.too_long(f"line {number}", line)
        elif line.strip():
            yield line.rstrip("\r\n")


def _read_paragraphs(file: TextFile, _: str) -> Iterator[str | Broken]:
    """Every run of lines between blank lines is a document."""
    block = Collector(file.settings.maximum_document_bytes)
    first = 0

    def taken() -> str | Broken:
        text = block.take()
        return file.too_long(f"line {first}", text) if isinstance(text, TooLong) else text.rstrip("\r\n")

    for number, line in enumerate(file.lines(), 1):
        if isinstance(line, TooLong):
            yield file.too_long(f"line {number}", line)
        elif line.strip():
            first = first or number
            block.add(line)
        elif first:
            yield taken()
            first = 0
    if first:
        yield taken()


def _read_jsonl(file: TextFile, text_field: str) -> Iterator[str | Broken]:
    """Every line is a JSON object with the field, or a string."""
    # Here and below, nothing holds on to a record whose text is passed on, since it may be tens of megabytes.
    number = 0
    for line in file.lines():  # `enumerate` would hold on to it
        number += 1  # noqa: SIM113
        if isinstance(line, TooLong):
            yield file.too_long(f"line {number}", line)
        elif not line.isspace():
            document = [_parsed(line, text_field, f"line {number}", file.seen)]
            del line
            yield document.pop()


def _read_json(file: TextFile, text_field: str) -> Iterator[str | Broken]:
    """The file is a list of objects with the field, or of strings; or such objects one after another."""
    number = 0
    try:
        for record in json_records(file.pieces(), file.settings.maximum_document_bytes):
            number += 1
            position = f"record {number}"
            if isinstance(record, TooLong):
                yield file.too_long(position, record)
            else:
                document = [_parsed(record, text_field, position, file.seen)]
                del record
                yield document.pop()
    except JsonError as error:
        raise UserError(f"{file.path}: broken JSON after record {number}: {error}; mend the file") from None


def _parsed(source: str, text_field: str, position: str, seen: Seen) -> str | Broken:
    """Text of a JSON record."""
    try:
        # Not strict: line breaks and tabs inside a string do no harm.
        return text_of_record(json.loads(source, strict=False), text_field, seen)
    except json.JSONDecodeError as error:
        reason = f"broken JSON ({error.msg}, column {error.pos + 1})"
    except _RecordError as error:
        return Broken(position, str(error), source[:EXCERPT_CHARACTERS], "no text")
    except (RecursionError, ValueError) as error:  # nested very deeply; a number of thousands of digits
        reason = str(error)
    return Broken(position, reason, source[:EXCERPT_CHARACTERS])


def _read_csv(file: TextFile, text_field: str, delimiter: str = ",") -> Iterator[str | Broken]:
    """A header line, then records. Fields with quotation marks, delimiters or line breaks are quoted."""
    path = file.path
    records = csv_records(file.lines(), delimiter, file.settings.maximum_document_bytes)
    header: list[str] = []
    for number, row in records:
        position = f"line {number}"
        if isinstance(row, TooLong):
            yield file.too_long(position, row)
        elif isinstance(row, BrokenRecord) and not header:
            raise UserError(f"{path}, {position}: broken header ({row.reason})")
        elif isinstance(row, BrokenRecord):
            yield Broken(position, row.reason, row.text[:EXCERPT_CHARACTERS])
        elif not header:
            header = row
            columns = [names[0] for names in _field_paths(text_field, header)]
            for name in columns:
                if name not in header:
                    raise UserError(f"{path}, {position}: no column {name!r}; {_name_fields(header)}")
            cells = [header.index(name) for name in columns]
        elif len(row) <= max(cells):
            reason = f"{len(row)} cells, too few to reach column {header[max(cells)]!r}"
            yield Broken(position, reason, delimiter.join(row)[:EXCERPT_CHARACTERS])
        else:
            yield file.checked(position, "\n".join(row[cell] for cell in cells))


def _read_tsv(file: TextFile, text_field: str) -> Iterator[str | Broken]:
    """As CSV, with tabs."""
    return _read_csv(file, text_field, delimiter="\t")


def _read_mediawiki(file: TextFile, _: str) -> Iterator[str | Broken]:
    """Every article of a dump is a document: its title, then its text."""
    limit = file.settings.maximum_document_bytes
    for number, (title, text, too_long) in enumerate(
        articles(file.pieces(), str(file.path), limit, file.seen.left_out), 1
    ):
        position = f"article {number} ({title})"
        yield file.too_long(position, TooLong(text, too_long)) if too_long else file.checked(position, text)


def _read_parquet(file: TextFile, text_field: str) -> Iterator[str | Broken]:
    """Every row is a document."""
    path, seen = file.path, file.seen
    if not path.stat().st_size:
        return
    try:
        # Without buffering ahead, a page is read at a time; else, a whole row group.
        table = pq.ParquetFile(path, pre_buffer=False, buffer_size=compression.BLOCK_BYTES)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    with table:
        names = table.schema_arrow.names
        columns = list(dict.fromkeys(keys[0] for keys in _field_paths(text_field, names)))
        for column in columns:
            if column not in names:
                raise UserError(f"{path}: no column {column!r}; {_name_fields(names)}")
        seen.encoding = "utf-8"
        number = 0
        allowed = max(compression.FREE_BYTES, file.settings.maximum_expansion * path.stat().st_size)
        try:
            for batch in table.iter_batches(batch_size=_batch_rows(table.metadata), columns=columns):
                allowed -= batch.nbytes
                if allowed < 0:
                    raise UserError(
                        f"{path} ({path.stat().st_size:,} bytes) unpacks to more than corpus.maximum_expansion allows"
                    )
                for row in range(len(batch)):
                    number += 1
                    position = f"record {number}"
                    try:
                        (record,) = batch.slice(row, 1).to_pylist()
                        yield file.checked(position, text_of_record(record, text_field, seen))
                    except UnicodeDecodeError as error:
                        yield Broken(position, f"no UTF-8 ({error.reason})", "")
                    except _RecordError as error:
                        yield Broken(position, str(error), str(record)[:EXCERPT_CHARACTERS], "no text")
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be read after record {number}: {reason}; fetch it again") from None
    seen.sha256 = sha256_file(path)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Rows that are about PARQUET_BATCH_BYTES together, in the row group with the longest ones."""
    longest = 1
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        longest = max(longest, group.total_byte_size // max(group.num_rows, 1))
    return max(1, min(PARQUET_BATCH_ROWS, PARQUET_BATCH_BYTES // longest))


READERS: dict[str, Callable[[TextFile, str], Iterator[str | Broken]]] = {
    "txt": _read_whole,
    "html": _read_html,
    "lines": _read_lines,
    "paragraphs": _read_paragraphs,
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "parquet": _read_parquet,
    "mediawiki": _read_mediawiki,
}

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can spell them (`"\ud800"`), but they are no characters


class _RecordError(Exception):
    """Why a record has no text."""


def text_of_record(record: Any, text_field: str, seen: Seen) -> str:
    """Text of a record: a string, or a mapping with `text_field`.

    The field may lie deeper (`meta.body`), and several fields may be named (`title, body`); a field may hold a list of
    strings. Each stands on lines of its own. A null is an empty text.
    """
    if isinstance(record, dict):
        found = [_value(record, keys) for keys in _field_paths(text_field, record)]
        texts = [_joined(value, text_field) for value in found]
        text = "\n".join(part for part in texts if part) if len(texts) > 1 else texts[0]
    else:
        text = _joined(record if isinstance(record, str | None) else _no_text(record, text_field), text_field)
    text, lone = _LONE_SURROGATE.subn("\ufffd", text)
    seen.undecodable_bytes += lone
    return text


def _field_paths(text_field: str, names: Any) -> list[list[str]]:
    """The keys that lead to each of the named fields. A name that is a key as it stands is that key."""
    if text_field in names:
        return [[text_field]]
    fields = [name.strip() for name in text_field.split(",")]
    return [[name] if name in names else name.split(".") for name in fields if name]


def _value(record: Any, keys: list[str]) -> Any:
    for at, key in enumerate(keys):
        if isinstance(record, list):
            return [_value(one, keys[at:]) for one in record]
        if not isinstance(record, dict) or key not in record:
            fields = list(record) if isinstance(record, dict) else []
            raise _RecordError(f"no field {'.'.join(keys)!r}; {_name_fields(fields)}")
        record = record[key]
    return record


def _joined(value: Any, text_field: str) -> str:
    """A text, or lines of text."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(_joined(one, text_field) for one in value)
    return value if isinstance(value, str) else _no_text(value, text_field)


def _no_text(value: Any, text_field: str) -> str:
    raise _RecordError(f"{text_field!r} must be a string or a list of strings, not {type(value).__name__}")


def _name_fields(fields: list[str]) -> str:
    """What to tell a user who named a field that is not there."""
    found = ", ".join(fields[:20]) or "none"
    return f"found: {found}; name the one with the text in the sheet's column text_field"
