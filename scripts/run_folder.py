"""Check settings files and print the folder that their run keeps its results, logs and checkpoints in.

Usage:
    python scripts/run_folder.py                            # the demo's
    python scripts/run_folder.py config/qwen3-0.6b.yaml     # runs/qwen3-0.6b
    python scripts/run_folder.py config/demo.yaml ranks.yaml

Snakemake reads settings files before anything of this project runs, and ends with a traceback when one is missing.
"""

from pathlib import Path

from lib.core.errors import UserError
from lib.core.program import program_parser, run
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="settings files, a later one winning; none for the demo")
    parser.add_argument("--sweep", action="store_true", help="the files must say what a sweep varies")
    args = parser.parse_args()
    files: list[Path] = args.files
    settings = read_settings(files)
    if args.sweep and not (settings.sweep.settings or settings.sweep.points):
        raise UserError("settings: nothing varies; write a section `sweep` as in docs/recipes.md, and name the file")
    print(run_folder(run_name(settings.run, files)))


if __name__ == "__main__":
    run(main)
