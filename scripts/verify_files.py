"""Compare every file of a run's results with the manifest that describes it.

Usage:
    python scripts/verify_files.py                            # the demo's results
    python scripts/verify_files.py config/qwen3-0.6b.yaml     # those in runs/qwen3-0.6b
    python scripts/verify_files.py --results copied/results

Prints a line for each file that is damaged, missing, or listed in no manifest, and what to do; then ends with status 1.
Checksums of all files are compared, however large they are.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from math import inf
from pathlib import Path

from lib.core.errors import UserError
from lib.core.integrity import Facts, described_files, difference, foreign_files, manifests_below
from lib.core.manifest import NAME
from lib.core.program import program_parser, run, say
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings

BUILT_TOGETHER = ("corpus",)
"""Folders into which several steps write, so that a manifest lists only some of their files."""
CARD = "README.md"


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="the run's settings files; none for the demo")
    parser.add_argument("--results", type=Path, help="folder with results, instead of a run's")
    args = parser.parse_args()
    results = args.results or run_folder(run_name(read_settings(args.files).run, args.files)) / "results"
    manifests = manifests_below(results)
    if not manifests:
        raise UserError(f"{results} holds no results with a {NAME}; `make run` makes them")
    files = [(path, facts, manifest) for manifest in manifests for path, facts in described(manifest)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        found = list(filter(None, threads.map(lambda file: problem(*file), files)))
    found += [line for manifest in manifests for line in foreign(manifest)]
    for line in found:
        say(line)
    if found:
        print(f"verify-files: {len(found)} of {len(files):,} files are not as their manifests say", file=sys.stderr)
        sys.exit(1)
    size = sum(facts["bytes"] for _, facts, _ in files)
    say(f"verify-files: {len(files):,} files in {len(manifests)} folders, {size / 1e6:,.1f} MB, are as they were made")


def described(manifest: Path) -> Iterator[tuple[Path, Facts]]:
    """The files that a manifest lists."""
    return starmap(lambda name, facts: (manifest.parent / name, facts), described_files(manifest).items())


def problem(path: Path, facts: Facts, manifest: Path) -> str:
    """A line on a file that is not as `manifest` says; empty for one that is."""
    reason = difference(path, facts, limit=inf)
    if not reason:
        return ""
    kind = "missing" if not path.exists() else "edited" if path.name == CARD else "damaged"
    again = path if manifest.parent.name in BUILT_TOGETHER else manifest.parent
    return f"{kind}: {path}: {reason} ({manifest}); put it back, or delete {again} and run again"


def foreign(manifest: Path) -> Iterator[str]:
    """A line on each file in the folder of `manifest` that it does not list."""
    folder = manifest.parent
    if folder.name not in BUILT_TOGETHER:
        for path in foreign_files(folder, described_files(manifest)):
            yield f"foreign: {path}: not listed in {manifest}; move it elsewhere, since a new run replaces {folder}"


if __name__ == "__main__":
    run(main)
