"""What became of the records of instructions."""

from collections.abc import Mapping
from typing import Any

from lib.report.tables import NOTHING, Cell, Column, RichText, Table, number_text, text_column

NAMED = 5  # reasons or keys in a cell


def reading_table(reading: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row for each set: its records, how many were broken, repaired, or have keys that nothing reads.

    `reading` is that fact of the manifest of sft_data.
    """
    columns = [
        text_column("set"),
        Column("read", "records"),
        Column("broken", "records, set aside"),
        Column("repaired", "records"),
        Column("keys that nothing reads", "records"),
    ]
    rows = [
        [name, number_text(found["records"]), *(_counts(found[key]) for key in ("broken", "repaired", "unread_keys"))]
        for name, found in reading.items()
    ]
    return Table("What was read of each set", columns, rows)


def skipped_table(counts: Mapping[str, int]) -> Table:
    """How many records were left out or shortened, by reason; `counts` are those of the manifest of sft_data."""
    rows = [
        [key.removeprefix("skipped_").replace("_", " "), number_text(number)]
        for key, number in counts.items()
        if key.startswith("skipped_") and number
    ]
    return Table("Left out or shortened", [text_column("reason"), Column("records")], rows)


def _counts(counts: Mapping[str, int]) -> Cell:
    """All counts together, with the names of the highest ones."""
    if not counts:
        return NOTHING
    named = [f"{name} ({number_text(number)})" for name, number in list(counts.items())[:NAMED]]
    return RichText(number_text(sum(counts.values())), note=", ".join(named))
