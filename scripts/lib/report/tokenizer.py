"""What the tokenizer's report.json says, and what its new tokens cost and gave."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lib.report.tables import NOTHING, Column, RichText, Table, duration_text, number_text, text_column

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


def cost_table(
    report: Mapping[str, Any],
    *,
    scores: pd.DataFrame | None,
    context: int | None,
    read_tokens: int | None,
    fit_seconds: float | None,
) -> Table | None:
    """What new tokens cost and gave, as far as a run without a twin can tell; None when there are none.

    `context` is the model's maximum length and `read_tokens` what stage 1 read, both in tokens. Characters follow from
    the characters per token of all held-out text.
    """
    ratios = [row["characters_per_token"] for row in report["sources"] if row["source"] == "all"]
    if not report["new_tokens"] or len(ratios) != len(VOCABULARIES) or not all(ratios):
        return None
    rows = [["characters per token of held-out text", *map(number_text, ratios)]]
    for what, tokens in (("context of the model", context), ("text that stage 1 reads in its steps", read_tokens)):
        if tokens:
            characters = (number_text(round(tokens * ratio, -2)) for ratio in ratios)
            rows.append([f"{what} ({tokens:,} tokens), in characters", *characters])
    rows.append(["characters written in 100 steps of generation", *(f"{100 * ratio:.0f}" for ratio in ratios)])
    if scores is not None:
        bits = scores.set_index("model")["text_bits_per_character"].reindex(["base", "extended"])
        rows.append(["held-out text before training, bits per character", *map(number_text, bits)])
    if fit_seconds:
        rows.append(["computing time of their first rows", NOTHING, duration_text(fit_seconds)])
    columns = [text_column(""), Column("base vocabulary"), Column(f"with {report['new_tokens']:,} new tokens")]
    return Table("What the new tokens cost and gave", columns, rows)


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
