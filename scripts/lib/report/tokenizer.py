"""What the tokenizer's report.json says."""

from collections.abc import Mapping, Sequence
from typing import Any

from lib.report.tables import Column, RichText, Table, number_text, text_column

VOCABULARIES = ("base", "extended")
FIGURES = {
    "characters": Column("size", "characters"),
    "tokens": Column("size", "tokens", "lower"),
    "characters_per_token": Column("characters", "per token", "higher"),
    "bytes_per_token": Column("bytes", "per token", "higher"),
    "tokens_per_chinese_character": Column("tokens", "per Chinese character", "lower"),
    "whole_characters": Column("characters in one token", "share of all", "higher"),
}


def tokenizer_table(report: Mapping[str, Any]) -> Table:
    """Figures of both vocabularies on held-out text, by source."""
    is_one = len({row["source"] for row in report["sources"]}) == 2  # the source, and all together
    rows = [
        [str(row["source"]), str(row["vocabulary"]), *(number_text(row[key]) for key in FIGURES)]
        for row in report["sources"]
        if not (is_one and row["source"] == "all")
    ]
    columns = [text_column("held-out text"), text_column("vocabulary"), *FIGURES.values()]
    return Table("Vocabularies on held-out text", columns, rows)


def example_tables(report: Mapping[str, Any]) -> Sequence[Table]:
    """The same text in both vocabularies."""
    return [
        Table(
            str(example["source"]),
            [text_column("vocabulary"), text_column("tokens; (2): two tokens for one character")],
            [[name, RichText(str(example[name]), is_code=True)] for name in VOCABULARIES],
        )
        for example in report["examples"]
    ]
