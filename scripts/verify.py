"""Rebuild a run in a second folder, and compare every file that claims to be the same to the bit.

Usage:
    python scripts/verify.py                              # the demo
    python scripts/verify.py config/qwen3-0.6b.yaml       # the run of these settings
    python scripts/verify.py --cores 1                    # rebuilt on one core

The second run is called NAME-verify and takes nothing over from others. It is removed when all files are the same, and
kept when one differs; then each such file is named with its first difference, and the status is 1. What is claimed, and
for which machines, is in docs/reproducibility.md.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from lib.core.errors import UserError
from lib.core.manifest import MADE_WITH
from lib.core.outputs import read_json, sha256_file
from lib.core.places import ALONE
from lib.core.program import program_parser, run, say
from lib.runs.names import DEMO_NAME, run_folder, run_name
from lib.runs.settings_files import read_settings

NOT_CLAIMED = ("report.html", "ro-crate-metadata.json", "corpus/signatures/block_*.txt", f"*/{MADE_WITH}")
"""Results that hold times, of the run or of files, or the version of the code."""
NOT_REBUILT = ("export/*", "sweep/*")
"""Results that are made only when they are asked for."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="the run's settings files; none for the demo")
    parser.add_argument("--cores", default="all", help="processor cores to rebuild on")
    args = parser.parse_args()
    name = run_name(read_settings(args.files).run, args.files)
    results = run_folder(name) / "results"
    if not (results / "evaluation" / "scores.tsv").is_file():
        raise UserError(f"{results} holds no finished run; `make run` first")
    second = f"{name or DEMO_NAME}-verify"
    folder = run_folder(second)
    shutil.rmtree(folder, ignore_errors=True)
    rebuild(args.files, second, args.cores)
    files = claimed_files(results)
    found = list(differences(results, folder / "results"))
    for line in found:
        say(line)
    if found:
        print(f"verify: {len(found)} of {len(files):,} files differ from those in {folder}", file=sys.stderr)
        sys.exit(1)
    size = sum((results / file).stat().st_size for file in files)
    shutil.rmtree(folder)
    say(f"verify: all {len(files):,} files, {size / 1e6:,.1f} MB, were rebuilt to the bit")


def rebuild(files: list[Path], name: str, cores: str) -> None:
    """Make the finished model of these settings in a run of that `name`, with nothing from other runs."""
    configuration = ["--configfile", *map(str, files)] if files else []
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--quiet", "host", "rules", "reason"]
    status = subprocess.run(
        [*command, *configuration, "--config", f"run={name}", "--", "model"],
        env=os.environ | {ALONE: "1"},
        check=False,
    ).returncode
    if status:
        raise UserError(f"the rebuild in {run_folder(name)} failed; see above")


def claimed_files(results: Path) -> set[str]:
    """Names of the files below `results` that are the same whenever they are made from the same."""
    found = (path.relative_to(results) for path in results.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in found
        if not path.name.startswith(".")
        and not any(fnmatch(path.as_posix(), pattern) for pattern in (*NOT_CLAIMED, *NOT_REBUILT))
    }


def differences(results: Path, rebuilt: Path) -> Iterator[str]:
    """A line for each file that is in one of two folders only, or differs between them, with the first difference."""
    before, after = claimed_files(results), claimed_files(rebuilt)
    for name in sorted(before | after):
        if name not in after:
            yield f"{name}: not made again; it may be left of other settings (make prune)"
        elif name not in before:
            yield f"{name}: made only now"
        elif sha256_file(results / name) != sha256_file(rebuilt / name):
            yield f"{name}: {first_difference(results / name, rebuilt / name)}"


def first_difference(before: Path, after: Path) -> str:
    """Where two files that differ do so first: a key, a tensor, or a byte."""
    if before.suffix == ".json":
        return _first_key(read_json(before), read_json(after)) or "another layout of the same values"
    if before.suffix == ".safetensors":
        return _first_tensor(before, after)
    with before.open("rb") as one, after.open("rb") as other:
        place = 0
        while (first := one.read(1 << 20)) == (second := other.read(1 << 20)) and first:
            place += len(first)
    same = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
    return f"{before.stat().st_size:,} and {after.stat().st_size:,} bytes, which differ from byte {place + same:,} on"


def _first_key(before: Any, after: Any, key: str = "") -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [(name, before.get(name), after.get(name)) for name in dict.fromkeys((*before, *after))]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(str(place), *pair) for place, pair in enumerate(zip(before, after, strict=True))]
    else:
        return "" if before == after else f"{key or 'value'} is {_short(before)} and {_short(after)}"
    found = (_first_key(one, other, f"{key}.{name}".lstrip(".")) for name, one, other in pairs)
    return next(filter(None, found), "")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _first_tensor(before: Path, after: Path) -> str:
    with safe_open(before, framework="pt") as one, safe_open(after, framework="pt") as other:
        if set(one.keys()) != set(other.keys()):
            return f"other tensors: {', '.join(sorted(set(one.keys()) ^ set(other.keys()))[:3])}"
        for name in one.keys():  # noqa: SIM118  # not a mapping
            first, second = one.get_tensor(name), other.get_tensor(name)
            if first.shape != second.shape or first.dtype != second.dtype:
                return f"{name} is {first.dtype} {tuple(first.shape)} and {second.dtype} {tuple(second.shape)}"
            if not first.equal(second):
                apart = np.abs(first.double().numpy() - second.double().numpy())
                number = np.count_nonzero(apart)
                return f"{name} differs in {number:,} of {apart.size:,} values, by up to {apart.max():.2g}"
    return "the same tensors, written in another way"


if __name__ == "__main__":
    run(main)
