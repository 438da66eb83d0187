"""Files that earlier settings of a run left behind: those of sources and shards that it no longer has."""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from lib.runs.snakemake_records import recorded_outputs
from lib.settings.sheets import NAME_PATTERN

FOLDERS = ("results/corpus", "results/pretrain_tokens", "logs", "benchmarks")
"""Where files lie in folders by step, below these by source, and below that by shard."""


def leftovers(folder: Path, sources: Collection[str], shards: int) -> list[Path]:
    """Files and folders of the run in `folder` that belong to no source of `sources`, or to none of its `shards`."""
    known = {f"{shard:04d}" for shard in range(shards)}
    gone = fetched_sources(folder) - set(sources)
    found = []
    for top in FOLDERS:
        for path in sorted((folder / top).glob("*/*")):
            name = path.stem if path.is_file() else path.name
            if name in gone:
                found.append(path)
            elif name in sources and path.is_dir():
                found += [file for file in sorted(path.iterdir()) if file.stem.isdecimal() and file.stem not in known]
    return found


def fetched_sources(folder: Path) -> set[str]:
    """Names of all sources that text was fetched or cleaned of."""
    steps = ("raw", "clean", "train")
    names = {path.name for step in steps for path in (folder / "results" / "corpus" / step).glob("*") if path.is_dir()}
    return {name for name in names if NAME_PATTERN.fullmatch(name)}


def remove(folder: Path, paths: Collection[Path]) -> None:
    """Remove files and folders of the run in `folder`, and Snakemake's records of them."""
    records = dict(recorded_files(folder, paths))
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for record in records.values():
        record.unlink()


def recorded_files(folder: Path, paths: Collection[Path]) -> Iterator[tuple[str, Path]]:
    """Outputs that lie in `paths`, and the files of their records."""
    wanted = set(paths)
    for output, record in recorded_outputs(folder).items():
        if wanted & {folder / output, *(folder / output).parents}:
            yield output, record


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
