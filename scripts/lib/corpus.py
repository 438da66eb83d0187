"""Reading the finished corpus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from lib.manifest import read_json

Split = Literal["train", "validation"]


def texts(manifest: Path, split: Split) -> Iterator[tuple[str, str]]:
    """(source, text) of every document of a split, shard by shard, in the manifest's order."""
    for shard in read_json(manifest)["facts"][split]:
        source = Path(shard).parts[1]
        for text in pl.read_parquet(manifest.parent / shard, columns=["text"])["text"]:
            yield source, text
