import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from lib.core.code_version import code_version, surroundings


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "outer" / "project"
    project.mkdir(parents=True)
    (project / "VERSION").write_text("1.2.3\n")
    return project


def commit_all(repository: Path) -> str:
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    return git(repository, "rev-parse", "HEAD")[:12]


def test_the_commit_is_named(project: Path) -> None:
    commit = commit_all(project)
    (project / "untracked").touch()
    assert code_version(project) == f"Graftline 1.2.3, commit {commit}"


def test_local_changes_are_told(project: Path) -> None:
    commit = commit_all(project)
    (project / "VERSION").write_text("1.2.4\n")
    assert code_version(project) == f"Graftline 1.2.4, commit {commit} with local changes"


def test_without_git_the_version_is_known(project: Path) -> None:
    assert code_version(project) == "Graftline 1.2.3"


def test_a_repository_around_the_project_says_nothing(project: Path) -> None:
    commit_all(project.parent)
    assert code_version(project) == "Graftline 1.2.3"


def test_what_the_code_runs_with(project: Path) -> None:
    known = surroundings(project)
    assert (known["code"], known["commit"], known["local_changes"]) == ("Graftline 1.2.3", None, None)
    commit = commit_all(project)
    known = surroundings(project)
    assert (known["commit"][:12], known["local_changes"]) == (commit, False)
    assert (known["python"], known["packages"]["numpy"]) == (platform.python_version(), version("numpy"))
    (project / "VERSION").write_text("1.2.4\n")
    assert surroundings(project)["local_changes"] is True
