"""Rebuild a run in a second folder, and compare every file that claims to be the same to the bit.

Usage:
    python scripts/verify.py                              # the demo
    python scripts/verify.py config/qwen3-0.6b.yaml       # the run of these settings
    python scripts/verify.py --cores 1                    # rebuilt on one core

The second run is called NAME-verify and takes nothing over from others. It is removed when all files are the same, and
kept when one differs; then each such file is named with its first difference, and the status is 1. What is claimed, and
for which machines, is in docs/reproducibility.md.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lib.core.errors import UserError
from lib.core.places import ALONE
from lib.core.program import program_parser, run, say
from lib.runs.names import DEMO_NAME, run_folder, run_name
from lib.runs.rebuilding import claimed_files, differences
from lib.runs.settings_files import read_settings


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


if __name__ == "__main__":
    run(main)
