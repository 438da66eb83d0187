"""Records out of files: the lines or elements of JSON, the rows of CSV, TSV and Parquet, whatever they hold.

Plain or compressed, in whatever encoding, read once from front to back. A broken record costs nobody but itself; no
more than a few records are held in memory.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.files import compression
from lib.files.csv_records import BrokenRecord, csv_records
from lib.files.formats import RECORDS
from lib.files.json_records import JsonError, json_records
from lib.files.limits import EXCERPT_CHARACTERS, TooLong
from lib.files.spans import Span
from lib.files.text_files import Broken, TextFile

PARQUET_BATCH_BYTES = 1 << 24
PARQUET_BATCH_ROWS = 1_000

ChooseColumns = Callable[[list[str]], list[str]]
"""The columns of a table that are read, chosen from all. UserError says which one is missing."""


class Record(NamedTuple):  # made by the million, and a dataclass takes longer to make
    """What a file holds at one place."""

    position: str
    """Where in the file: `line 3`, `record 5`."""
    value: Any


Records = Iterator[Record | Broken]


def read_records(file: TextFile, file_format: str, choose: ChooseColumns | None = None) -> Records:
    """Each record of a file in order, or what is wrong with it.

    `file_format` is one of formats.RECORDS. Cells of CSV and TSV are text. With `choose`, only these columns of tables
    are read, and a row that reaches them is not broken. Raises UserError when the file as a whole cannot be read.
    """
    return _READERS[file_format](file, choose)


def _read_jsonl(file: TextFile, _: ChooseColumns | None) -> Records:
    # Here and below, nothing holds on to a record that is passed on, since it may be tens of megabytes.
    number = 0
    for line in file.lines():  # `enumerate` would hold on to it
        number += 1  # noqa: SIM113
        if isinstance(line, TooLong):
            yield file.too_long(f"line {number}", line)
        elif not line.isspace():
            record = [_parsed(line, f"line {number}")]
            del line
            yield record.pop()


def _read_json(file: TextFile, _: ChooseColumns | None) -> Records:
    number = 0
    try:
        for source in json_records(file.pieces(), file.settings.maximum_document_bytes):
            number += 1
            if isinstance(source, TooLong):
                yield file.too_long(f"record {number}", source)
            else:
                record = [_parsed(source, f"record {number}")]
                del source
                yield record.pop()
    except JsonError as error:
        raise UserError(f"{file.path}: broken JSON after record {number}: {error}; mend the file") from None


def _parsed(source: str, position: str) -> Record | Broken:
    try:
        # Not strict: line breaks and tabs inside a string do no harm.
        return Record(position, json.loads(source, strict=False))
    except json.JSONDecodeError as error:
        reason = f"broken JSON ({error.msg}, column {error.pos + 1})"
    except (RecursionError, ValueError) as error:  # nested very deeply; a number of thousands of digits
        reason = str(error)
    return Broken(position, reason, source[:EXCERPT_CHARACTERS])


def _read_csv(file: TextFile, choose: ChooseColumns | None, delimiter: str = ",") -> Records:
    """A header line, then records. Fields with quotation marks, delimiters or line breaks are quoted."""
    header: list[str] = []
    for number, row in csv_records(file.lines(), delimiter, file.settings.maximum_document_bytes):
        position = f"line {number}"
        if isinstance(row, TooLong):
            yield file.too_long(position, row)
        elif isinstance(row, BrokenRecord) and not header:
            raise UserError(f"{file.path}, {position}: broken header ({row.reason})")
        elif isinstance(row, BrokenRecord):
            yield Broken(position, row.reason, row.text[:EXCERPT_CHARACTERS])
        elif not header:
            header = row
            columns = _columns(file, header, choose, position)
            cells = [header.index(name) for name in columns]
        elif not choose and len(row) != len(header):
            reason = f"{len(row)} cells, but the header names {len(header)} columns"
            yield Broken(position, reason, delimiter.join(row)[:EXCERPT_CHARACTERS])
        elif len(row) <= max(cells):
            reason = f"{len(row)} cells, too few to reach column {header[max(cells)]!r}"
            yield Broken(position, reason, delimiter.join(row)[:EXCERPT_CHARACTERS])
        else:
            yield Record(position, {name: row[cell] for name, cell in zip(columns, cells, strict=True)})


def _read_tsv(file: TextFile, choose: ChooseColumns | None) -> Records:
    """As CSV, with tabs."""
    return _read_csv(file, choose, delimiter="\t")


def _read_parquet(file: TextFile, choose: ChooseColumns | None) -> Records:
    path, seen = file.path, file.seen
    if not path.stat().st_size:
        return
    try:
        # Without buffering ahead, a page is read at a time; else, a whole row group.
        table = pq.ParquetFile(path, pre_buffer=False, buffer_size=compression.BLOCK_BYTES)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    with table:
        columns = _columns(file, table.schema_arrow.names, choose)
        seen.encoding = "utf-8"
        number, groups = _row_groups(table.metadata, file.span)
        allowed = compression.allowed_bytes(path)
        unpacked = 0
        try:
            for batch in table.iter_batches(_batch_rows(table.metadata), groups, columns):
                unpacked += batch.nbytes
                if unpacked > allowed:
                    raise compression.too_large(path, allowed)
                for row in range(len(batch)):
                    number += 1
                    position = f"record {number}"
                    try:
                        record = [Record(position, batch.slice(row, 1).to_pylist()[0])]
                    except UnicodeDecodeError as error:
                        yield Broken(position, f"no UTF-8 ({error.reason})", "")
                    else:
                        yield record.pop()
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be read after record {number}: {reason}; fetch it again") from None
    if not file.span:
        seen.sha256 = sha256_file(path)


def _row_groups(metadata: pq.FileMetaData, span: Span | None) -> tuple[int, list[int]]:
    """How many rows stand before the row groups that begin in the span, and which groups these are."""
    before, chosen, place = 0, [], 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if not span or span.start <= place < span.end:
            chosen.append(number)
        elif not chosen:
            before += group.num_rows
        # In files that are written one group after another; others are divided all the same, only less evenly.
        place += max(1, sum(group.column(column).total_compressed_size for column in range(group.num_columns)))
    return before, chosen


def _columns(file: TextFile, names: list[str], choose: ChooseColumns | None, position: str = "the table") -> list[str]:
    """The columns of a table that are read: all, or those that are chosen; UserError when they are not all there."""
    if twice := [name for name in names if names.count(name) > 1 and not choose]:
        raise UserError(f"{file.path}, {position}: the column {twice[0]!r} stands twice")
    try:
        return choose(names) if choose else names
    except UserError as error:
        raise UserError(f"{file.path}, {position}: {error}") from None


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Rows that are about PARQUET_BATCH_BYTES together, in the row group with the longest ones."""
    longest = 1
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        longest = max(longest, group.total_byte_size // max(group.num_rows, 1))
    return max(1, min(PARQUET_BATCH_ROWS, PARQUET_BATCH_BYTES // longest))


_READERS: dict[str, Callable[[TextFile, ChooseColumns | None], Records]] = dict(
    zip(RECORDS, (_read_jsonl, _read_json, _read_csv, _read_tsv, _read_parquet), strict=True)
)
