"""Shards read and written a batch of documents at a time, so that memory does not grow with them."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

BATCH_BYTES = 1 << 25  # of text held at a time


def batches(path: Path) -> Iterator[pl.DataFrame]:
    """The documents of a shard, as many at a time as have `BATCH_BYTES` or as one has; at least one frame."""
    waiting: list[pl.DataFrame] = []
    size = 0
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            frame = pl.DataFrame(file.read_row_group(number))
            for part in _cut(frame):
                waiting.append(part)
                size += int(part["text"].str.len_bytes().sum())
                if size >= BATCH_BYTES:
                    yield pl.concat(waiting)
                    waiting, size = [], 0
        if waiting or not file.num_row_groups:
            yield pl.concat(waiting) if waiting else pl.DataFrame(file.schema_arrow.empty_table())


def _cut(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """`frame` in pieces that each begin a new multiple of `BATCH_BYTES`."""
    batch = frame["text"].str.len_bytes().cast(pl.Int64).cum_sum() // BATCH_BYTES
    return frame.with_columns(batch=batch).partition_by("batch", maintain_order=True, include_key=False)


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
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd", compression_level=3)
        if len(table):
            self._writer.write_table(table)
