r"""Bring the finished corpus together: counts, and the manifest that later stages depend on.

    python scripts/corpus.py --settings '{"minimum_length": 100}' --seed 1 \
        --sheet config/corpus.tsv --output results/corpus/manifest.json

Reads what the earlier steps counted below the output's folder: raw/SOURCE.json, clean/SOURCE/SHARD.json,
split/SOURCE/SHARD.json and with corpus.decontaminate decontaminated/SOURCE/SHARD.json.
Writes summary.tsv (a row per source and rule) and, last, the manifest. Fails when nothing is left to train on or to
hold out.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.code_version import surroundings
from lib.core.credentials import cleaned
from lib.core.errors import UserError
from lib.core.manifest import MADE_WITH
from lib.core.outputs import new_file, read_json, sha256_file, write_json
from lib.core.places import local_path
from lib.core.program import program_parser, run, say
from lib.corpus.storage.shards import shard_name
from lib.settings.base import from_json
from lib.settings.corpus import PreparationSettings, SourceSettings
from lib.settings.sheets import Source, read_sheet

SPLITS = ("train", "validation")
PACKAGES = ("numpy", "opencc", "polars", "pyarrow", "rensa", "selectolax")  # whose versions shape the shards
UNITS = ("documents", "characters")
COLUMNS = [
    *(f"documents_{what}" for what in ("in", "changed", "dropped", "added", "out")),
    *(f"characters_{what}" for what in ("in", "removed", "dropped", "added", "out")),
]


@dataclass(frozen=True)
class SourceCounts:
    """What the earlier steps say about one source."""

    source: Source
    raw: dict[str, Any]
    """Documents, characters and files as fetched."""
    clean: list[dict[str, dict[str, int]]]
    """By shard: what each rule did."""
    split: list[dict[str, dict[str, Any]]]
    """By shard: duplicates by rule, what the mix left out or added, train, validation."""
    decontaminated: list[dict[str, dict[str, Any]]]
    """By shard: what repeats held-out text, and train, what is left; empty when that is not looked for."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--sheet", required=True, help="the sources, which may be too many for a command line")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(PreparationSettings, args.settings)
    directory: Path = args.output.parent

    rows = read_sheet(local_path(args.sheet), SourceSettings)
    sources = [read_counts(directory, row, settings) for row in rows.values()]
    table = summarise(sources)
    check(table, settings)
    with new_file(directory / "summary.tsv") as path:
        table.to_csv(path, sep="\t", index=False)
    with new_file(args.output.with_name(MADE_WITH)) as path:
        write_json(path, surroundings())
    with new_file(args.output) as path:
        write_json(path, manifest(directory, sources, table, settings, args.seed))
    for split, counts in results(table).items():
        say(f"corpus: {split}: {counts['documents']:,} documents, {counts['characters']:,} characters")


def read_counts(directory: Path, source: Source, settings: PreparationSettings) -> SourceCounts:
    """The count files of one source."""
    names = [f"{source.name}/{shard_name(number)}.json" for number in range(settings.shards)]
    return SourceCounts(
        source,
        read_json(directory / "raw" / f"{source.name}.json"),
        [read_json(directory / "clean" / name) for name in names],
        [read_json(directory / "split" / name) for name in names],
        [read_json(directory / "decontaminated" / name) for name in names] if settings.decontaminate else [],
    )


def summarise(sources: list[SourceCounts]) -> pd.DataFrame:
    """A row per source, step and rule, in order.

    Documents: in - dropped + added = out. Characters: in - removed - dropped + added = out. The rows of the split,
    train and validation, share what deduplication lets through; the rows below them are about training text.
    """
    rows: list[dict[str, Any]] = []
    for counts in sources:
        steps = [("fetch", "quarantined", _quarantined(counts.raw)), ("fetch", "read", _unchanged(counts.raw))]
        steps += [("clean", rule, _add([shard[rule] for shard in counts.clean])) for rule in counts.clean[0]]
        split = {key: _add([shard[key] for shard in counts.split]) for key in counts.split[0]}
        for rule in ("exact_duplicate", "near_duplicate"):
            steps.append(("deduplicate", rule, _with(steps[-1][2], "dropped", split[rule])))
        steps.append(("split", "shared_lines", _with(steps[-1][2], "dropped", split["shared_lines"])))
        steps += [
            ("split", "validation", _unchanged(split["validation"])),
            ("split", "train", _unchanged(split["before_mix"])),
        ]
        for rule, effect in (("weight", "dropped"), ("max_characters", "dropped"), ("repeat", "added")):
            steps.append(("mix", rule, _with(steps[-1][2], effect, split[rule])))
        if counts.decontaminated:
            contaminated = _add([shard["contaminated"] for shard in counts.decontaminated])
            steps.append(("decontaminate", "contaminated", _with(steps[-1][2], "dropped", contaminated)))
        rows += [{"source": counts.source.name, "step": step, "rule": rule, **values} for step, rule, values in steps]
    table = pd.DataFrame(rows, columns=["source", "step", "rule", *COLUMNS])
    return table.fillna(dict.fromkeys(COLUMNS, 0)).astype(dict.fromkeys(COLUMNS, "int64"))


def results(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Documents and characters of the finished splits; a source's last row is its training text."""
    rows = {"train": table.groupby("source").tail(1), "validation": table[table["rule"] == "validation"]}
    return {name: {unit: int(rows[name][f"{unit}_out"].sum()) for unit in UNITS} for name in SPLITS}


def total(table: pd.DataFrame, step: str) -> pd.DataFrame:
    """The rows of one step, added up over all sources."""
    return table[table["step"] == step].groupby("rule", sort=False)[COLUMNS].sum().reset_index()


def check(table: pd.DataFrame, settings: PreparationSettings) -> None:
    """Raise UserError when there is nothing to train on or nothing to hold out."""
    split = total(table, "split").set_index("rule")["documents_out"]
    left = {name: counts["documents"] for name, counts in results(table).items()}
    read = total(table, "fetch").set_index("rule")["documents_in"]["read"]
    dropped = table.groupby("rule", sort=False)["documents_dropped"].sum()
    reasons = ", ".join(f"{rule} {number:,}" for rule, number in dropped.items() if number) or "none"
    if not split.sum():
        raise UserError(
            f"nothing survives cleaning: {read:,} documents read, dropped by rule: {reasons}; "
            f"lower corpus.minimum_length ({settings.minimum_length}) or look at results/corpus/dropped/"
        )
    if not left["validation"]:
        raise UserError(
            f"no document is held out: {read:,} read, {split['train']:,} to train on; "
            "a source needs at least two documents for that; lower corpus.split_length "
            f"({settings.split_length:,}) or add documents"
        )
    if not split["train"]:
        raise UserError(
            f"no document is left to train on: {read:,} read, {left['validation']:,} held out; "
            f"lower corpus.validation_fraction ({settings.validation_fraction}) or add documents"
        )
    if not left["train"]:
        raise UserError(
            f"no document is left to train on: {split['train']:,} after the split, dropped by rule: {reasons}; look at "
            + ("results/corpus/contaminated/ and at " if settings.decontaminate else "")
            + "the columns weight and max_characters of the sheet"
        )


def manifest(
    directory: Path, sources: list[SourceCounts], table: pd.DataFrame, settings: PreparationSettings, seed: int
) -> dict[str, Any]:
    """As lib.manifest writes it, but without reading the shards again: the steps that wrote them have hashed them."""
    shards: dict[str, list[str]] = {split: [] for split in SPLITS}
    files = {}
    for counts in sources:
        folders = {"train": settings.training_folder, "validation": "validation"}
        finished = {"train": counts.decontaminated or counts.split, "validation": counts.split}
        for number in range(settings.shards):
            for split, folder in folders.items():
                shard = finished[split][number][split]
                if shard["documents"]:
                    path = f"{folder}/{counts.source.name}/{shard_name(number)}.parquet"
                    shards[split].append(path)
                    files[path] = {key: shard[key] for key in ("bytes", "sha256")}
    inputs = [f"raw/{counts.source.name}.json" for counts in sources]
    return {
        "files": files,
        "inputs": {path: sha256_file(directory / path) for path in inputs},
        "counts": results(table),
        "settings": cleaned(settings.model_dump(mode="json")),
        "seed": seed,
        "versions": {package: version(package) for package in PACKAGES},
        "facts": {
            **shards,
            "replay": [counts.source.name for counts in sources if counts.source.replay],
        },
    }


def _unchanged(counts: dict[str, Any]) -> dict[str, int]:
    """A row for a step that lets through what it gets."""
    return {f"{unit}_{end}": counts[unit] for unit in UNITS for end in ("in", "out")}


def _quarantined(raw: dict[str, Any]) -> dict[str, int]:
    """A row for records that could not be read; how many characters they had is not known, and none are counted."""
    number = sum(raw["quarantined"].values())
    return _unchanged(raw) | {"documents_in": raw["documents"] + number, "documents_dropped": number}


def _with(before: dict[str, int], effect: str, counts: dict[str, int]) -> dict[str, int]:
    """A row for a step that drops or adds `counts` of what the row `before` let through, and may shorten the rest."""
    removed = counts.get("removed", 0)
    row = {"documents_changed": counts.get("changed", 0), "characters_removed": removed}
    for unit in UNITS:
        change = counts[unit] if effect == "added" else -counts[unit]
        row |= {f"{unit}_in": before[f"{unit}_out"], f"{unit}_{effect}": counts[unit]}
        row[f"{unit}_out"] = before[f"{unit}_out"] + change
    row["characters_out"] -= removed
    return row


def _add(counts: list[dict[str, Any]]) -> dict[str, int]:
    """The numbers of several shards, added up."""
    return {key: sum(shard[key] for shard in counts) for key, value in counts[0].items() if isinstance(value, int)}


if __name__ == "__main__":
    run(main)
