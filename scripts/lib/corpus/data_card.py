"""README.md of the corpus: what is in it, where it comes from, and what was left out and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lib.core.credentials import cleaned, without_secrets
from lib.core.page_templates import markdown_code, markdown_table, render
from lib.settings.corpus import PreparationSettings
from lib.settings.sheets import Source


def data_card(
    sources: Sequence[tuple[Source, Mapping[str, Any], Sequence[str]]],
    nearest_held_out: Sequence[str],
    splits: Mapping[str, Mapping[str, int]],
    table: pd.DataFrame,
    settings: PreparationSettings,
    seed: int,
    judgement: str = "",
) -> str:
    """The card's Markdown.

    `sources` come with what fetching found out about them, and some of their shared lines. Of those named in
    `nearest_held_out`, chance held no document out. `splits` are documents and characters of the finished ones; `table`
    is summary.tsv. `judgement` says how well good examples were told from bad ones.
    """
    header = [*table.columns[:3], *(column.replace("_", " ") for column in table.columns[3:])]
    rows = [[_number(value) if isinstance(value, int) else value for value in row] for row in table.values.tolist()]
    return render(
        "data_card.md.jinja",
        sources=sources,
        nearest_held_out=nearest_held_out,
        splits=splits,
        source_table=_source_table(sources),
        rule_table=markdown_table(header, rows),
        settings=cleaned(settings.model_dump(mode="json")),
        seed=seed,
        judgement=judgement,
        number=_number,
        reasons=_reasons,
    )


def _source_table(sources: Sequence[tuple[Source, Mapping[str, Any], Sequence[str]]]) -> str:
    return markdown_table(
        [
            *("source", "address", "licence", "weight", "maximum of characters"),
            *("documents", "characters", "encoding", "undecodable bytes"),
        ],
        [
            [
                source.name,
                markdown_code(without_secrets(source.uri)),
                source.license or "not stated",
                f"{source.weight:g}",
                "none" if source.max_characters is None else _number(source.max_characters),
                _number(raw["documents"]),
                _number(raw["characters"]),
                ", ".join(raw["encodings"]),
                _number(raw["undecodable_bytes"]),
            ]
            for source, raw, _ in sources
        ],
    )


def _number(value: int) -> str:
    return f"{value:,}"


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_number(number)} × {reason}" for reason, number in counts.items())
