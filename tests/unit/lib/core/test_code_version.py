import subprocess
from pathlib import Path

import pytest

from lib.core.code_version import UNKNOWN, code_version


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_the_commit_is_named(repository: Path) -> None:
    assert git(repository, "rev-parse", "HEAD").startswith(code_version(repository))
    (repository / "untracked").touch()
    assert " " not in code_version(repository)


def test_local_changes_are_told(repository: Path) -> None:
    (repository / "file").write_text("2")
    assert code_version(repository) == f"{git(repository, 'rev-parse', '--short=12', 'HEAD')} with local changes"


def test_without_git_nothing_is_known(tmp_path: Path) -> None:
    assert code_version(tmp_path) == UNKNOWN


def test_a_repository_around_the_project_says_nothing(repository: Path) -> None:
    (repository / "inner").mkdir()
    assert code_version(repository / "inner") == UNKNOWN
