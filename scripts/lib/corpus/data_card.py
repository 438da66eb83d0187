"""README.md of the corpus: what is in it, where it comes from, and what was left out and why."""

from typing import Any

import pandas as pd

from lib.settings.corpus import CorpusSettings
from lib.settings.sheets import Source


def data_card(
    sources: list[tuple[Source, dict[str, Any], list[str]]],
    results: dict[str, dict[str, int]],
    table: pd.DataFrame,
    settings: CorpusSettings,
    seed: int,
) -> str:
    """Markdown. `sources` come with what fetching found out about them, and some of their shared lines.

    `table` is summary.tsv.
    """
    lines = ["# Corpus", ""]
    lines += [
        f"- {split}: {counts['documents']:,} documents, {counts['characters']:,} characters"
        for split, counts in results.items()
    ]
    lines += ["", "## Sources", ""]
    lines += _table(
        [
            *("source", "address", "licence", "weight", "most characters"),
            *("documents", "characters", "encoding", "undecodable bytes"),
        ],
        [
            [
                source.name,
                f"`{source.uri}`",
                source.license or "not stated",
                f"{source.weight:g}",
                "all" if source.max_characters is None else f"{source.max_characters:,}",
                f"{raw['documents']:,}",
                f"{raw['characters']:,}",
                ", ".join(raw["encodings"]),
                f"{raw['undecodable_bytes']:,}",
            ]
            for source, raw, _ in sources
        ],
    )
    lines += [
        "",
        "Files that were read, by sha256 (the first ten of each source; all of them: files/SOURCE.parquet):",
        "",
    ]
    lines += [
        f"- {source.name}: {file['name']} `{file['sha256']}`"
        for source, raw, _ in sources
        for file in raw["files"][:10]
    ]
    lines += [
        f"- {source.name}: left out {raw['number_of_ignored_files']:,} files of no known format, among them "
        + ", ".join(raw["ignored_files"][:5])
        for source, raw, _ in sources
        if raw["ignored_files"]
    ]
    lines += [
        f"- {source.name}: {_reasons(raw['quarantined'])} could not be read and are in quarantine/{source.name}.parquet"
        for source, raw, _ in sources
        if raw["quarantined"]
    ]
    lines += [
        f"- {source.name}: left out on reading: {_reasons(raw['left_out'])}"
        for source, raw, _ in sources
        if raw["left_out"]
    ]
    lines += ["", "## What each step did", ""]
    lines += _table(
        [*table.columns[:3], *(column.replace("_", " ") for column in table.columns[3:])],
        [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in table.values.tolist()],
    )
    for source, _, shared in sources:
        if shared:
            lines += ["", f"Lines that many documents of {source.name} share, and that were dropped, begin with:", ""]
            lines += [f"- {line}" for line in shared]
    contaminated = (
        " contaminated/SOURCE/SHARD.parquet names each training document that repeats held-out text, with the n-gram "
        "and whose it is."
        if settings.decontaminate
        else ""
    )
    lines += [
        "",
        "Characters: in, less removed from documents that stay, less those of dropped documents, with those added by "
        "taking documents more than once, gives out. Every document that cleaning dropped is in "
        "dropped/SOURCE/SHARD.parquet with the rule and the value that it measured; duplicates/SOURCE.parquet names "
        "each duplicate and the document that it repeats; shared_lines/SOURCE.parquet holds the lines that many "
        "documents share, emptied/SOURCE/SHARD.parquet the documents that are too short without them." + contaminated,
        "",
        "## Settings",
        "",
    ]
    lines += [f"- {key}: {value}" for key, value in settings.model_dump(mode="json").items()]
    lines += [
        f"- for {source.name}: {key}: {value}" for source, _, _ in sources for key, value in source.settings.items()
    ]
    lines += [f"- seed: {seed}", ""]
    return "\n".join(lines)


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} × {reason}" for reason, number in counts.items())


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    return [f"| {' | '.join(row)} |" for row in (cells[0], ["---"] * len(header), *cells[1:])]
