"""What a run is called, and the folder that its name stands for."""

import re
from collections.abc import Sequence
from pathlib import Path

from lib.core.errors import UserError
from lib.settings.pipeline import RUN_NAME

FOLDER = "runs"
DEMO = "config/demo.yaml"
"""Settings of the demo, whose results are in `results/`."""
DEMO_NAME = "demo"


def run_name(given: str | None, files: Sequence[Path]) -> str:
    """Name of the run that these settings files describe, the last of them winning; "" for the demo.

    `given` is their key `run`, if there is one.
    """
    if not given and all(path.resolve() == Path(DEMO).resolve() for path in files):
        return ""
    name = given or files[-1].stem
    if name == DEMO_NAME:
        raise UserError(f"{name!r} is what the run of {DEMO} alone is called; name this one by `run: NAME`")
    if not re.fullmatch(RUN_NAME, name):
        raise UserError(
            f"{files[-1]}: {name!r} cannot name a run (letters, digits, - _ and . only); add `run: NAME` to the file"
        )
    return name


def run_folder(name: str) -> Path:
    """Folder of a run's results, logs, benchmarks and checkpoints, from the project's folder."""
    return Path(FOLDER) / name if name else Path()


def existing_runs(project: Path) -> list[str]:
    """Names of the runs of `project` that have results, the demo ("") first."""
    named = sorted(path.name for path in (project / FOLDER).glob("*"))
    return [name for name in ("", *named) if any((project / run_folder(name) / "results").glob("*/*"))]
