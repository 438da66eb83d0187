"""What is left of a shard's documents without duplicates and without shared lines."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lib.corpus.duplicates.shared_lines import without_shared_lines
from lib.corpus.storage.shards import read_shard
from lib.text.series import character_lengths


@dataclass(frozen=True)
class Remaining:
    """Documents of a batch, divided."""

    duplicates: pl.DataFrame
    """With a column rule."""
    short: pl.DataFrame
    """Columns id, text: those that are too short without their shared lines, as they were with them."""
    kept: pl.DataFrame
    """All columns of the batch, text without shared lines."""
    changed: int
    """Documents of `kept` that have lost lines."""
    removed: int
    """Characters that they have lost."""


class Remainder:
    """Divides batches of documents of one source."""

    def __init__(self, directory: Path, source: str, minimum_length: int) -> None:
        self._duplicates = read_shard(directory / "duplicates" / f"{source}.parquet", columns=["id", "rule"])
        self._lines = read_shard(directory / "shared_lines" / f"{source}.parquet", columns=["line"])["line"]
        self._minimum_length = minimum_length

    def __call__(self, documents: pl.DataFrame) -> Remaining:
        """`documents` have the columns id, text and hash."""
        rules = documents.select("id").join(self._duplicates, on="id", how="left", maintain_order="left")["rule"]
        unique = documents.filter(rules.is_null())
        texts = without_shared_lines(unique["text"], self._lines)
        lengths = character_lengths(texts)
        lost = character_lengths(unique["text"]) - lengths
        short = (lost > 0) & (lengths < self._minimum_length)
        is_short = pl.Series(short, dtype=pl.Boolean)
        return Remaining(
            duplicates=documents.with_columns(rule=rules).filter(rules.is_not_null()),
            short=unique.filter(is_short).select("id", "text"),
            kept=unique.with_columns(text=texts).filter(~is_short) if lost.any() else unique,
            changed=int((lost[~short] > 0).sum()),
            removed=int(lost[~short].sum()),
        )
