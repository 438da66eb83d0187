"""The documents of a shard as they were read, whether by one job or in parts by several.

In parts, documents are numbered and dealt from 0 in each. How many documents the parts before have says what their
numbers and shards are in the whole source, so that nothing has to be written again.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from lib.core.outputs import read_json
from lib.corpus.storage.batches import batches, in_batches, row_groups
from lib.corpus.storage.shards import document_id, shard_name


def raw_batches(raw: Path, source: str, shard: int, shards: int, parts: Sequence[str] = ()) -> Iterator[pl.DataFrame]:
    """The documents of a shard (columns id, text), as `batches` gives them: the same, however many `parts` there are.

    `raw` is the folder with what fetch.py and gather.py write; `parts` names the parts, none for a source read whole.
    """
    if not parts:
        return batches(raw / source / f"{shard_name(shard)}.parquet")
    return in_batches(_of_parts(raw, source, shard, shards, parts))


def _of_parts(raw: Path, source: str, shard: int, shards: int, parts: Sequence[str]) -> Iterator[pl.DataFrame]:
    first = 0
    for part, documents in zip(parts, read_json(raw / f"{source}.json")["parts"], strict=True):
        dealt = (shard - first) % shards
        for frame in row_groups(raw / source / part / f"{shard_name(dealt)}.parquet"):
            numbers = frame["id"].str.extract(r":(\d+)$").cast(pl.Int64) + first
            ids = [document_id(source, number) for number in numbers]
            yield frame.with_columns(id=pl.Series(ids, dtype=pl.String))
        first += documents
