"""What reading a source, or a part of it, came to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa

from lib.core.credentials import without_secrets
from lib.core.program import say

FILES = pa.schema(
    [
        *((name, pa.string()) for name in ("name", "format", "encoding", "sha256")),
        *((name, pa.int64()) for name in ("bytes", "documents", "quarantined", "undecodable_bytes")),
    ]
)
"""Of the table of files. Those of no known format have only a name; those that several jobs read have no checksum."""
LISTED = 10
"""Files that the facts name; all of them are in the table of files."""


@dataclass
class Facts:
    """As they are written down."""

    uri: str
    documents: int = 0
    characters: int = 0
    number_of_files: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the first files in the table of files."""
    number_of_ignored_files: int = 0
    ignored_files: list[str] = field(default_factory=list)
    """The first files that are of no known format."""
    encodings: Counter[str] = field(default_factory=Counter)
    """Files by encoding."""
    undecodable_bytes: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    """Records that cannot be read, by the beginning of the reason."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Entries that are no documents, by the reason."""
    divided: Counter[str] = field(default_factory=Counter)
    """Long documents, and the parts that they were divided into."""

    def add_file(self, row: dict[str, Any]) -> None:
        """Count a row of the table of files; None in the format says that the file is ignored."""
        if row.get("format") is None:
            self.number_of_ignored_files += 1
            if self.number_of_ignored_files <= LISTED:
                self.ignored_files.append(row["name"])
            return
        self.number_of_files += 1
        self.encodings[row["encoding"]] += 1
        if self.number_of_files <= LISTED:
            self.files.append(row)

    def as_json(self) -> dict[str, Any]:
        """The facts, their counts in the order of their names."""
        facts = vars(self) | {"uri": without_secrets(self.uri)}
        return {
            key: dict(sorted(value.items())) if isinstance(value, Counter) else value for key, value in facts.items()
        }


def added_up(parts: Sequence[Mapping[str, Any]]) -> Facts:
    """The facts of all parts of a source together, but for those about its files."""
    whole = Facts(parts[0]["uri"])
    for part in parts:
        for name in ("documents", "characters", "undecodable_bytes"):
            setattr(whole, name, getattr(whole, name) + part[name])
        for name in ("quarantined", "left_out", "divided"):
            getattr(whole, name).update(part[name])
    return whole


def joined_files(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One table of files out of those of all parts: a row for each file, ignored ones at the end."""
    counts = ("documents", "quarantined", "undecodable_bytes")
    encodings = pl.col("encoding").filter(pl.col("encoding") != "").str.split(", ").explode()
    return (
        pl.concat(tables)
        .group_by("name", maintain_order=True)
        .agg(
            pl.col("format").first(),
            # A part may hold nothing but ASCII of a file that holds more.
            encodings.filter((encodings != "ascii") | (encodings.n_unique() == 1))
            .unique()
            .sort()
            .str.join(", ")
            .alias("encoding"),
            pl.col("sha256").first(),
            pl.col("bytes").first(),
            *(pl.col(name).sum() for name in counts),
        )
        .with_columns(pl.when(pl.col("format").is_not_null()).then(pl.col(name)) for name in ("encoding", *counts))
        .sort(pl.col("format").is_null(), maintain_order=True)
        .select(FILES.names)
    )


def tell(source: str, facts: Facts, first_broken: str, split_length: int) -> None:
    """Say what a user should know about a source that has been read."""
    if facts.undecodable_bytes:
        say(f"corpus: fetch {source}: {facts.undecodable_bytes:,} undecodable bytes, read as U+FFFD")
    if facts.quarantined:
        say(
            f"corpus: fetch {source}: {facts.quarantined.total():,} records in quarantine; the first one: "
            f"{first_broken}"
        )
    if facts.divided:
        say(
            f"corpus: fetch {source}: {facts.divided['documents']:,} documents longer than {split_length:,} characters "
            f"divided into {facts.divided['parts']:,} parts, at chapters or ends of paragraphs"
        )
    for reason, number in sorted(facts.left_out.items()):
        say(f"corpus: fetch {source}: left out: {number:,} {reason}")
