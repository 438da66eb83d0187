"""Results that were changed since they were made, and files of the user's among them, noticed before anything runs.

Snakemake knows of most folders only their manifest: to it, a folder whose weights were replaced is up to date.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.core.integrity import (
    Facts,
    checksum_limit,
    described_files,
    difference,
    foreign_files,
    manifests_below,
    require_file,
)
from lib.core.manifest import NAME

FINAL = Path("results/sft_model")
CORPUS = Path("results/corpus")  # shards are outputs of jobs, and made one by one
KEPT = Path(".snakemake/manifests")
CARD = "README.md"  # of a model; it may be edited


def require_unchanged_results(rules: Iterable[Any]) -> None:
    """Raise UserError for the first file of the results here that is not as its manifest says, or is none of `rules`.

    Sizes are compared, and checksums of files that are younger than their manifest. It costs a look at each file.
    """
    if FINAL.is_dir() and not (FINAL / NAME).is_file():
        raise UserError(f"{FINAL} has no {NAME}, so it is not whole; move it away or delete it, and run again")
    for folder in _folders(rules):
        if "{" not in str(folder) and not (folder / NAME).is_file():
            _require_own(folder)
    for manifest in _manifests():
        for file, facts in _altered(manifest.parent, manifest):
            if file.name != CARD:
                require_file(file, facts, manifest, manifest.parent)


def keep_manifests() -> None:
    """Keep a copy of the manifests: Snakemake removes them before the jobs that make them anew, which may fail."""
    for manifest in _manifests():
        copy = _copy_of(manifest.parent)
        if not copy.is_file() or copy.stat().st_mtime_ns != manifest.stat().st_mtime_ns:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(manifest, copy)


def require_replaceable(jobs: Iterable[Any]) -> None:
    """Raise UserError when one of these `jobs` of Snakemake would replace a folder with files that no job has made."""
    for folder in _folders(jobs):
        _require_own(folder)


def _folders(rules: Iterable[Any]) -> dict[Path, None]:
    """The folders that these rules, or jobs, replace as a whole."""
    found = (_folder(output) for rule in rules for output in rule.output)
    return dict.fromkeys(folder for folder in found if folder is not None and folder != CORPUS)


def _require_own(folder: Path) -> None:
    """Raise UserError unless all files in `folder` are as its manifest says, or as the one that was kept."""
    manifest = folder / NAME if (folder / NAME).is_file() else _copy_of(folder)
    altered = ((file, facts) for file, facts in _altered(folder, manifest) if file.is_file())
    changed = (file for file, facts in altered if difference(file, facts, checksum_limit()))
    for path in (*foreign_files(folder, described_files(manifest)), *changed):
        raise UserError(
            f"{path} was not made by this run, which would replace {folder}; move it away, or name it in the settings "
            "(tokenizer.uri, pretrain.uri, base_model.uri) if the run should use it"
        )


def _altered(folder: Path, manifest: Path) -> Iterator[tuple[Path, Facts]]:
    """Files of `folder` that may not be as `manifest` says: missing, of another size, or younger than it."""
    for name, facts in described_files(manifest).items():
        file = folder / name
        if not file.is_file():
            yield file, facts
            continue
        status = file.stat()
        if status.st_size != facts["bytes"] or status.st_mtime_ns > manifest.stat().st_mtime_ns:
            yield file, facts


def _manifests() -> list[Path]:
    return [path for path in manifests_below(Path("results")) if path.parent != CORPUS]


def _copy_of(folder: Path) -> Path:
    return KEPT / f"{'/'.join(folder.parts[1:])}.json"


def _folder(output: Any) -> Path | None:
    """The folder that a job with this output replaces as a whole, if it does."""
    if output.is_directory:
        return Path(output)
    return Path(output).parent if Path(output).name == NAME else None
