"""Which version of the project's code runs, and what it runs with."""

import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]


def release(project: Path = PROJECT) -> str:
    """As in `Graftline 1.0.0`."""
    return f"Graftline {(project / 'VERSION').read_text(encoding='utf-8').strip()}"


def code_version(project: Path = PROJECT) -> str:
    """As in `Graftline 1.0.0, commit 0123456789ab with local changes`; the version alone where git knows no commit."""
    commit, is_changed = _commit(project)
    if not commit:
        return release(project)
    return f"{release(project)}, commit {commit[:12]}{' with local changes' if is_changed else ''}"


def surroundings(project: Path = PROJECT) -> dict[str, Any]:
    """The code's version and commit, null where git knows none, and the versions of Python and all packages."""
    commit, is_changed = _commit(project)
    return {
        "code": release(project),
        "commit": commit,
        "local_changes": is_changed,
        "python": platform.python_version(),
        "packages": dict(sorted((package.name, package.version) for package in distributions())),
    }


def _commit(project: Path) -> tuple[str | None, bool | None]:
    """The commit that is checked out, and whether files that git knows were changed since."""
    try:
        # Another repository that the project happens to lie in says nothing about it.
        if Path(_git(project, "rev-parse", "--show-toplevel")).resolve() != project.resolve():
            return None, None
        changes = _git(project, "status", "--porcelain", "--untracked-files=no")
        return _git(project, "rev-parse", "HEAD"), bool(changes)
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git(project: Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)
    return result.stdout.strip()
