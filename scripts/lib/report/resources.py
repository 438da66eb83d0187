"""Time and memory of a run's jobs."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from lib.report.tables import NOTHING, Bar, Cell, Column, Table, duration_text, number_text, text_column


def read_benchmarks(
    directory: Path, rules: Collection[str], sources: Collection[str], shards: int, models: Collection[str]
) -> pd.DataFrame:
    """Seconds, jobs and peak memory (MB) of each rule, from Snakemake's benchmark files; longest first.

    Counts jobs of these rules, sources, shards and models only: files of others may be there from earlier settings.
    """
    names = {*sources, *models}
    numbers = {f"{shard:04d}" for shard in range(shards)}
    jobs = []
    for path in sorted(directory.rglob("*.tsv")):
        rule, *wildcards = path.relative_to(directory).with_suffix("").parts
        if rule in rules and set(wildcards[:1]) <= names and set(wildcards[1:]) <= numbers:
            jobs.append(pd.read_csv(path, sep="\t").assign(rule=rule))
    if not jobs:
        return pd.DataFrame({"rule": [], "seconds": [], "jobs": [], "megabytes": []})
    frame = pd.concat(jobs, ignore_index=True)
    frame = frame[frame["rule"] != "report"]  # this page itself: there on a second run only
    for column in ("s", "max_rss"):  # "-" where a job was too short to be measured
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    grouped = frame.groupby("rule").agg(seconds=("s", "sum"), jobs=("rule", "size"), megabytes=("max_rss", "max"))
    return grouped.reset_index().sort_values(["seconds", "rule"], ascending=[False, True], ignore_index=True)


def resources_table(benchmarks: pd.DataFrame) -> Table | None:
    """Time and memory of each rule; None when nothing was measured."""
    if benchmarks.empty:
        return None
    longest = benchmarks["seconds"].max() or 1.0
    columns = [
        text_column("rule"),
        Column("jobs"),
        Column("time", "all jobs added up"),
        text_column(""),
        Column("peak memory", "MB, of one job"),
    ]
    rows: list[list[Cell]] = [
        [
            str(row["rule"]),
            number_text(row["jobs"]),
            duration_text(row["seconds"]),
            Bar(row["seconds"] / longest),
            NOTHING if pd.isna(row["megabytes"]) else f"{row['megabytes']:,.0f}",
        ]
        for _, row in benchmarks.iterrows()
    ]
    return Table("Time and memory", columns, rows)
