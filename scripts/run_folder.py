"""Check settings files and print the folder that their run keeps its results, logs and checkpoints in.

Usage:
    python scripts/run_folder.py                            # the demo's
    python scripts/run_folder.py config/qwen3-0.6b.yaml     # runs/qwen3-0.6b
    python scripts/run_folder.py config/demo.yaml ranks.yaml

Snakemake reads settings files before anything of this project runs, and ends with a traceback when one is missing.
"""

import argparse
from pathlib import Path
from typing import Any

from lib.core.errors import run
from lib.runs.names import DEMO, run_folder, run_name
from lib.runs.settings_files import read_settings_file
from lib.settings.base import merged, validate
from lib.settings.pipeline import PipelineSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="settings files, a later one winning; none for the demo")
    arguments = parser.parse_args()
    files: list[Path] = arguments.files
    values: dict[str, Any] = {}
    for path in files or [Path(DEMO)]:
        values = merged(values, read_settings_file(path))
    settings = validate(PipelineSettings, values)
    print(run_folder(run_name(settings.run, files)))


if __name__ == "__main__":
    run(main)
