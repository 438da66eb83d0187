"""Reading the finished corpus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from lib.manifest import read_json

Split = Literal["train", "validation"]


def texts(manifest: Path, split: Split) -> Iterator[tuple[str, str]]:
    """(source, text) of every document of a split, shard by shard, in the manifest's order.

    Sources that are replayed are left out: they are neither what the vocabulary is for nor what is to be learned.
    """
    facts = read_json(manifest)["facts"]
    for shard in facts[split]:
        source = Path(shard).parts[1]
        if source in facts.get("replay", ()):
            continue
        for text in pl.read_parquet(manifest.parent / shard, columns=["text"])["text"]:
            yield source, text
