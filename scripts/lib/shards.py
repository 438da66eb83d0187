"""Parquet shards of documents: dealing documents into many files, writing one, and telling what is in them."""

import resource
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lib.checksums import sha256_file
from lib.errors import UserError
from lib.outputs import new_file

BUFFER_CHARACTERS = 1 << 25  # held in memory, over all shards, before they are written
SCHEMA = pa.schema([("id", pa.large_string()), ("text", pa.large_string())])


def shard_name(number: int) -> str:
    """File name of a shard, without its ending."""
    return f"{number:04d}"


def shard_paths(directory: Path, shards: int) -> list[Path]:
    """Paths of all shards in `directory`, in order."""
    return [directory / f"{shard_name(number)}.parquet" for number in range(shards)]


def deal(texts: Iterable[str], source: str, paths: list[Path]) -> Iterator[tuple[int, int]]:
    """Write `texts` round robin to Parquet files at `paths`, with columns id and text.

    Ids count in reading order (`source:00000000`, …), whatever the number of shards. Yields the number of documents
    and of characters that are written so far, from time to time and at the end.
    """
    _allow_open_files(len(paths))
    documents = characters = buffered = 0
    buffers: list[list[tuple[str, str]]] = [[] for _ in paths]
    with ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(path, SCHEMA, compression="zstd")) for path in paths]

        def flush() -> None:
            for writer, buffer in zip(writers, buffers, strict=True):
                if buffer:
                    ids, values = zip(*buffer, strict=True)
                    writer.write_table(pa.table([ids, values], schema=SCHEMA))
                    buffer.clear()

        for text in texts:
            buffers[documents % len(paths)].append((f"{source}:{documents:08d}", text))
            documents += 1
            characters += len(text)
            buffered += len(text) + 100  # an id and two objects weigh something, too
            if buffered >= BUFFER_CHARACTERS:
                flush()
                buffered = 0
                yield documents, characters
        flush()
    yield documents, characters


def write_shard(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` as Parquet; equal frames give equal bytes."""
    with new_file(path) as partial:
        frame.write_parquet(partial, compression="zstd", compression_level=3)


def describe_shard(frame: pl.DataFrame, path: Path) -> dict[str, Any]:
    """What a manifest says about a shard that holds `frame`: documents, characters, bytes, sha256."""
    return {
        "documents": len(frame),
        "characters": count_characters(frame["text"]),
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
    }


def count_characters(texts: pl.Series) -> int:
    """Number of characters in all `texts`."""
    return int(texts.str.len_chars().sum())


def _allow_open_files(number: int) -> None:
    """Raise this process's limit of open files, if need be, so that `number` shards can be open at once."""
    needed = number + 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise UserError(f"corpus.shards is {number}, but this system allows {hard} open files; lower corpus.shards")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
