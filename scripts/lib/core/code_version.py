"""Which version of the project's code runs."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def code_version(project: Path = PROJECT) -> str:
    """As in `Graftline 1.0.0, commit 0123456789ab with local changes`; the version alone where git knows no commit."""
    version = f"Graftline {(project / 'VERSION').read_text(encoding='utf-8').strip()}"
    try:
        # Another repository that the project happens to lie in says nothing about it.
        if Path(_git(project, "rev-parse", "--show-toplevel")).resolve() != project.resolve():
            return version
        commit = _git(project, "rev-parse", "--short=12", "HEAD")
        changed = _git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return version
    return f"{version}, commit {commit}{' with local changes' if changed else ''}"


def _git(project: Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)
    return result.stdout.strip()
