"""Records out of files: the lines or elements of JSON, the rows of CSV, TSV and Parquet, whatever they hold.

Plain or compressed. A broken record ends the reading: for data of which every record counts.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lib.core.errors import UserError
from lib.files import compression
from lib.files.json_records import JsonError, json_records
from lib.files.limits import TooLong
from lib.files.text_files import Seen, TextFile
from lib.settings.base import nearest_name
from lib.settings.corpus import ReadingSettings

ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
PARQUET_ROWS = 1_000
"""Rows that are read at a time."""


def record_format(path: str | Path) -> str | None:
    """The format that a file's name tells, below an ending for compression; None when it tells none."""
    name = Path(path)
    if name.suffix.lower() in compression.ENDINGS:
        name = name.with_suffix("")
    return ENDINGS.get(name.suffix.lower())


def check_record_format(name: str) -> None:
    """Raise UserError unless `name` is a format of records, or empty."""
    if name and name not in READERS:
        raise UserError(
            f"unknown format {name!r}; the nearest known one is {nearest_name(name, list(READERS))!r} "
            f"(known: {', '.join(READERS)})"
        )


def read_records(path: Path, file_format: str = "") -> Iterator[tuple[str, Any]]:
    """(place, record) of each record of a file in order, where a place reads `data/set.jsonl, line 3`.

    The format is told by the file's name when not given. Cells of CSV and TSV are text. Raises UserError with file and
    line or record for the first one that cannot be read, and for bytes that stand for no character.
    """
    check_record_format(file_format)
    name = file_format or record_format(path)
    if not name:
        raise UserError(f"{path}: no format; name it in the sheet's column format ({', '.join(READERS)})")
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    yield from READERS[name](path)


def _read_jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    file = _text_file(path)
    for number, line in enumerate(file.lines(), 1):
        place = f"{path}, line {number}"
        if isinstance(line, TooLong):
            raise UserError(f"{place}: {line.bytes:,} bytes are too long for a record")
        if not line.isspace():
            yield place, _parsed(line, place)
    _check_decoded(file)


def _read_json(path: Path) -> Iterator[tuple[str, Any]]:
    file = _text_file(path)
    number = 0
    try:
        for record in json_records(file.pieces(), file.settings.maximum_document_bytes):
            number += 1
            place = f"{path}, record {number}"
            if isinstance(record, TooLong):
                raise UserError(f"{place}: {record.bytes:,} bytes are too long for a record")
            yield place, _parsed(record, place)
    except JsonError as error:
        raise UserError(f"{path}: broken JSON after record {number}: {error}; mend the file") from None
    _check_decoded(file)


def _parsed(source: str, place: str) -> Any:
    try:
        return json.loads(source, strict=False)  # line breaks and tabs inside a string do no harm
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: broken JSON ({error.msg}, column {error.pos + 1})") from None
    except (RecursionError, ValueError) as error:  # nested very deeply; a number of thousands of digits
        raise UserError(f"{place}: {error}") from None


def _read_csv(path: Path, delimiter: str = ",") -> Iterator[tuple[str, Any]]:
    file = _text_file(path)
    csv.field_size_limit(file.settings.maximum_document_bytes)

    def lines() -> Iterator[str]:
        for line in file.lines():
            if isinstance(line, TooLong):
                raise csv.Error(f"{line.bytes:,} bytes are too long for a record")
            yield line

    rows = csv.reader(lines(), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for row in rows:
            place = f"{path}, line {rows.line_num}"
            if not row:
                continue
            if not header:
                header = row
            elif len(row) != len(header):
                raise UserError(f"{place}: {len(row)} cells, but the header names {len(header)} columns")
            else:
                yield place, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}, line {rows.line_num}: broken record ({error}); check its quotation marks") from None
    _check_decoded(file)


def _read_tsv(path: Path) -> Iterator[tuple[str, Any]]:
    return _read_csv(path, delimiter="\t")


def _read_parquet(path: Path) -> Iterator[tuple[str, Any]]:
    number = 0
    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=PARQUET_ROWS):
                for record in batch.to_pylist():
                    number += 1
                    yield f"{path}, record {number}", record
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: no sound Parquet file after record {number} ({reason}); fetch it again") from None


def _text_file(path: Path) -> TextFile:
    return TextFile(path, Seen(), ReadingSettings())


def _check_decoded(file: TextFile) -> None:
    if number := file.seen.undecodable_bytes:
        raise UserError(f"{file.path}: {number} bytes are no {file.seen.encoding} text; save the file as UTF-8")


READERS: dict[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "parquet": _read_parquet,
}
