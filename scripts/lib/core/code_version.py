"""Which version of the project's code runs."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
UNKNOWN = "unknown"


def code_version(project: Path = PROJECT) -> str:
    """The commit that is checked out in `project`, and whether tracked files differ from it; UNKNOWN without git."""
    try:
        # Another repository that the project happens to lie in says nothing about it.
        top = _git(project, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != project.resolve():
            return UNKNOWN
        commit = _git(project, "rev-parse", "--short=12", "HEAD")
        changed = _git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return f"{commit} with local changes" if changed else commit


def _git(project: Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)
    return result.stdout.strip()
