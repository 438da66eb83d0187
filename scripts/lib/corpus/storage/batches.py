"""Shards read and written a batch of documents at a time, so that memory does not grow with them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BATCH_BYTES = 1 << 25  # of text held at a time
READ_BYTES = 1 << 20

# Arrow's own pool keeps what is freed; of a document of 50 MB that is several times as much.
pa.set_memory_pool(pa.system_memory_pool())


def batches(path: Path) -> Iterator[pl.DataFrame]:
    """The documents of a shard, as many at a time as have `BATCH_BYTES`, or one that is longer; at least one frame."""
    waiting: list[pa.Table] = []
    size = 0
    # Without buffering ahead, a page is read at a time; else, a whole row group.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES) as file:
        for number in range(file.num_row_groups):
            rows = file.read_row_group(number, use_threads=False)
            lengths = pl.Series(pc.binary_length(rows["text"]))  # Arrow's own way to NumPy imports pandas, 0.2 s
            start = 0
            for row, length in enumerate(lengths):
                if size and size + length > BATCH_BYTES:
                    waiting.append(rows.slice(start, row - start))
                    yield _frame(waiting)
                    start, size = row, 0
                size += length
            waiting.append(rows.slice(start))
            del rows
        if waiting:
            yield _frame(waiting)
        else:
            yield pl.DataFrame(file.schema_arrow.empty_table())


def _frame(waiting: list[pa.Table]) -> pl.DataFrame:
    """All tables as one frame; they are let go."""
    table = pa.concat_tables(waiting)
    waiting.clear()
    return pl.DataFrame(table)


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
