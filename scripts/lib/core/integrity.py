"""Results against the manifests that describe them: is what a program reads still what an earlier step wrote?

Sizes are always compared. Checksums are compared of files up to the setting `checksum_megabytes`, which the rules put
into the environment; SHA-256 takes about 0.6 seconds per gigabyte on a processor that has instructions for it.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.core.manifest import MADE_WITH, NAME
from lib.core.outputs import new_directory, read_json, sha256_file
from lib.core.places import PARENT

CHECKSUM_MEGABYTES = "GRAFTLINE_CHECKSUM_MEGABYTES"
DEFAULT_MEGABYTES = 1000

Facts = Mapping[str, Any]
"""What a manifest says about a file: bytes, sha256."""


def require_intact(path: Path, *patterns: str) -> Path:
    """`path`, a file, or a folder with files whose names match `patterns`, after they were compared with a manifest.

    The manifest is beside them or in the folder above. What no manifest lists is not compared. Of processes that train
    together, the first compares for all. Raises UserError for the first file that is missing or another.
    """
    if os.environ.get("RANK", "0") != "0":
        return path
    for manifest in (path / NAME, path.parent / NAME, path.parent.parent / NAME):
        for name, facts in described_files(manifest).items():
            file = manifest.parent / name
            if file == path or (file.parent == path and any(fnmatch(file.name, pattern) for pattern in patterns)):
                require_file(file, facts, manifest, manifest.parent)
    return path


def require_file(file: Path, facts: Facts, manifest: Path, rebuilt: Path) -> None:
    """Raise UserError unless `file` is as `manifest` says; `rebuilt` is what to delete to have it rebuilt."""
    if reason := difference(file, facts, checksum_limit()):
        raise UserError(
            f"{file} is not the file that {manifest} describes: {reason}; put that file back or, in the results of a "
            f"run, delete {rebuilt} and run again"
        )


def difference(file: Path, facts: Facts, limit: float) -> str:
    """How `file` differs from the `facts` of its manifest; empty if it does not. Checksums up to `limit` bytes."""
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return "it is missing"
    if size != facts["bytes"]:
        return f"{size:,} bytes, not {facts['bytes']:,}"
    if size <= limit and (found := sha256_file(file)) != facts["sha256"]:
        return f"sha256 {found[:12]}…, not {facts['sha256'][:12]}…"
    return ""


def described_files(manifest: Path) -> dict[str, Facts]:
    """The files that the manifest of a result lists; none without one, or when it is a file of another program."""
    if not manifest.is_file():
        return {}
    described = read_json(manifest)
    files = described.get("files") if isinstance(described, dict) else None
    if not isinstance(files, dict) or not all(isinstance(facts, dict) for facts in files.values()):
        return {}
    return {name: facts for name, facts in files.items() if facts.keys() >= {"bytes", "sha256"}}


@contextmanager
def described_directory(target: Path) -> Iterator[Path]:
    """As `new_directory`, for a directory that gets a manifest; what the user put into `target` is never replaced.

    Raises UserError when `target` holds files that its manifest does not list. In a job, Snakemake has taken the old
    manifest away, and has had the directory looked at before (`lib.workflow.results`).
    """
    if PARENT not in os.environ:
        for path in foreign_files(target, described_files(target / NAME)):
            raise UserError(f"{path} is listed in no {NAME}, and would be removed; move it, or name another folder")
    with new_directory(target) as directory:
        yield directory


def foreign_files(directory: Path, listed: Iterable[str]) -> list[Path]:
    """Files in `directory`, hidden ones left out, that are neither `listed` nor about the folder itself, in order."""
    known = {directory / name for name in (*listed, NAME, MADE_WITH)}
    found = (path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in found if path not in known)


def checksum_limit() -> float:
    """Bytes up to which files are compared by checksum."""
    return 1e6 * float(os.environ.get(CHECKSUM_MEGABYTES, DEFAULT_MEGABYTES))


def manifests_below(results: Path) -> list[Path]:
    """The manifests of a run's results, in order; those of a sweep lie deepest."""
    return sorted(path for place in ("*", "*/*", "sweep/*/*") for path in results.glob(f"{place}/{NAME}"))
