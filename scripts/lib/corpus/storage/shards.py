"""Parquet shards of documents: dealing documents into many files, writing one, and telling what is in them."""

import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lib.core.errors import UserError
from lib.core.integrity import require_file
from lib.core.outputs import new_file, read_json, sha256_file
from lib.text.series import count_characters

BUFFER_BYTES = 1 << 26  # held in memory, over all shards, before they are written, unless one document is larger
SCHEMA = pa.schema([("id", pa.large_string()), ("text", pa.large_string())])

Counts = dict[str, dict[str, Any]]
"""By rule or split: documents, characters, and what else is known."""


def document_id(source: str, number: int) -> str:
    """Id of the document that was read as number `number` (from 0) of its source."""
    return f"{source}:{number:08d}"


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
        writers = [
            stack.enter_context(
                pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=False, write_statistics=["id"])
            )
            for path in paths
        ]

        def flush() -> None:
            for writer, buffer in zip(writers, buffers, strict=True):
                if buffer:
                    ids, values = zip(*buffer, strict=True)
                    writer.write_table(pa.table([ids, values], schema=SCHEMA))
                    buffer.clear()

        for text in texts:
            size = sys.getsizeof(text) + 100  # the id and the list weigh something, too
            if buffered and buffered + size > BUFFER_BYTES:
                flush()
                buffered = 0
                yield documents, characters
            buffers[documents % len(paths)].append((document_id(source, documents), text))
            documents += 1
            characters += len(text)
            buffered += size
            del text  # the next one is read while this name would hold it
        flush()
    yield documents, characters


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Raise UserError when reading the Parquet file at `path`, which an earlier step made, fails in the block."""
    try:
        yield
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}); delete it and run again") from None


def read_shard(path: Path, columns: list[str] | None = None, rows: int | None = None) -> pl.DataFrame:
    """The first `rows` or all rows of a Parquet file that an earlier step made; UserError when it cannot be read."""
    with intact(path):
        return pl.read_parquet(path, columns=columns, n_rows=rows)


def count_rows(path: Path) -> int:
    """Number of rows of a Parquet file that an earlier step made; UserError when it cannot be read."""
    with intact(path):
        return int(pq.read_metadata(path).num_rows)


def write_shard(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` as Parquet; equal frames give equal bytes."""
    with new_file(path) as partial:
        frame.write_parquet(partial, compression="zstd", compression_level=3)


def add(counts: Counts, name: str, frame: pl.DataFrame, **more: int) -> None:
    """Add the number of documents in `frame`, of characters in them, and `more` numbers to `counts[name]`."""
    entry = counts.setdefault(name, {})
    for key, number in {"documents": len(frame), "characters": count_characters(frame["text"]), **more}.items():
        entry[key] = entry.get(key, 0) + number


def describe_file(path: Path) -> dict[str, Any]:
    """What a manifest says about a file: bytes, sha256."""
    return {"bytes": path.stat().st_size, "sha256": sha256_file(path)}


def require_counted(shard: Path) -> Path:
    """`shard`, of a split; UserError unless it is as the step that wrote it says in the file beside its counts."""
    folder, source = shard.parents[1], shard.parent.name
    step = folder.name if folder.name == "decontaminated" else "split"
    counts = folder.parent / step / source / f"{shard.stem}.json"
    if counts.is_file():
        split = "validation" if folder.name == "validation" else "train"
        require_file(shard, read_json(counts)[split], counts, rebuilt=shard)
    return shard


def _allow_open_files(number: int) -> None:
    """Raise this process's limit of open files, if need be, so that `number` shards can be open at once."""
    needed = number + 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise UserError(f"corpus.shards is {number}, but this system allows {hard} open files; lower corpus.shards")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
