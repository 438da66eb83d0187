"""The settings that a sweep found best, as a file to lay on top of the run's, and what it says about them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lib.sweep.points import as_settings

BEST = Path("results/sweep/best.yaml")
"""Where the file is, in the run's folder."""
HEADER = "# Lay it on top of the settings of the run: "


def best_settings(name: str, changes: Mapping[str, Any], sentence: str) -> str:
    """The file for the run of that name: a comment with `sentence`, then the values of the best point."""
    settings = {"run": f"{name}-best", **as_settings(changes)}
    values: str = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    return f"{HEADER}{sentence}.\n{values}"


def sentence_of(path: Path) -> str:
    """What the file at `path` says about its values."""
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    return first.removeprefix(HEADER)


def finished_sweep() -> dict[str, Any]:
    """Parameters of a rule that points to the sweep of its run when there is one: the file, and that it is watched."""
    if not BEST.is_file():
        return {}
    return {"sweep": str(BEST), "watched": BEST.read_text(encoding="utf-8")}
