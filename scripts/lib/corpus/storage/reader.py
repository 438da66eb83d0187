"""Reading the finished corpus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from lib.core.integrity import described_files, require_file
from lib.core.outputs import read_json
from lib.corpus.storage.batches import batches
from lib.corpus.storage.shards import read_shard

TEXT_BYTES = 1 << 20  # tokens with their places take a hundred times the memory of their text
Split = Literal["train", "validation"]


def texts(manifest: Path, split: Split) -> Iterator[tuple[str, str]]:
    """(source, text) of every document of a split, shard by shard, in the manifest's order."""
    for source, shard in _shards(manifest, split):
        for text in read_shard(shard, columns=["text"])["text"]:
            yield source, text


def text_batches(manifest: Path, split: Split) -> Iterator[list[str]]:
    """The texts of a split, as many at a time as may be held in memory with what is made of them."""
    for _, shard in _shards(manifest, split):
        for frame in batches(shard):
            parts = frame["text"].str.len_bytes().cast(pl.Int64).cum_sum() // TEXT_BYTES
            for part in frame.with_columns(part=parts).partition_by("part", maintain_order=True):
                yield part["text"].to_list()


def _shards(manifest: Path, split: Split) -> Iterator[tuple[str, Path]]:
    """Source and file of every shard of a split.

    Sources that are replayed are left out: they are neither what the vocabulary is for nor what is to be learned.
    Raises UserError for a shard that is not as the manifest says.
    """
    facts, files = read_json(manifest)["facts"], described_files(manifest)
    for shard in facts[split]:
        source = Path(shard).parts[1]
        if source not in facts.get("replay", ()):
            path = manifest.parent / shard
            if shard in files:
                require_file(path, files[shard], manifest, rebuilt=path)
            yield source, path
