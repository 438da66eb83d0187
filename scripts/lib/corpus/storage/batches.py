"""Shards read and written a batch of documents at a time, so that memory does not grow with them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lib.corpus.storage.shards import intact
from lib.text.series import byte_lengths

BATCH_BYTES = 1 << 25  # of text held at a time
READ_BYTES = 1 << 20

# Arrow's own pool keeps what is freed; of a document of 50 MB that is several times as much.
pa.set_memory_pool(pa.system_memory_pool())


def batches(path: Path) -> Iterator[pl.DataFrame]:
    """The documents of a shard, as many at a time as have `BATCH_BYTES`, or one that is longer; at least one frame."""
    return in_batches(row_groups(path))


def in_batches(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows of `frames`, one or more, as `batches` gives them. It lets go of the frames that it is given."""
    waiting: list[pl.DataFrame] = []
    size = 0
    for rows in frames:
        start = 0
        for row, length in enumerate(byte_lengths(rows["text"])):
            if size and size + length > BATCH_BYTES:
                waiting.append(rows.slice(start, row - start))
                yield _together(waiting)
                start, size = row, 0
            size += length
        waiting.append(rows.slice(start))
        del rows
    yield _together(waiting)


def row_groups(path: Path) -> Iterator[pl.DataFrame]:
    """The row groups of a Parquet file; one without rows if there is none."""
    # Without buffering ahead, a page is read at a time; else, a whole row group.
    with intact(path), pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES) as file:
        for number in range(file.num_row_groups):
            yield _frame(file.read_row_group(number, use_threads=False))
        if not file.num_row_groups:
            yield _frame(file.schema_arrow.empty_table())


def _frame(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(table.to_reader())  # for a table, polars would load pyarrow.compute


def _together(waiting: list[pl.DataFrame]) -> pl.DataFrame:
    """All frames as one; they are let go."""
    frame = pl.concat(waiting)
    waiting.clear()
    return frame


class ShardWriter:
    """Writes frames one after another into a Parquet file; equal frames give equal bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.close()

    def write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            # A dictionary or least and greatest values of texts would be copies of them.
            others = [name for name in table.schema.names if name != "text"]
            self._writer = pq.ParquetWriter(
                self._path,
                table.schema,
                compression="zstd",
                compression_level=3,
                use_dictionary=others,
                write_statistics=others,
            )
        if len(table):
            self._writer.write_table(table)


ROWS = 10_000


class TableWriter:
    """Writes rows to `path`; complete when the `with` block ends. Text becomes valid UTF-8."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._schema = schema
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row; columns that it lacks are null."""
        self._rows.append(
            {key: _valid(value) if isinstance(value, str) else value for key, value in row.items()},
        )
        if len(self._rows) >= ROWS:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


def _valid(text: str) -> str:
    """`text` without lone surrogates, which stand in names of files that are not UTF-8."""
    return text.encode("utf-8", "replace").decode()
