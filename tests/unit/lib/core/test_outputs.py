"""Outputs are complete or absent."""

import errno
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import UserError
from lib.core.outputs import new_directory, new_file


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with new_file(target) as partial:
        partial.write_text("text")
        assert not target.exists()
    assert target.read_text() == "text"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


@pytest.mark.fault
def test_failed_file_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), new_file(target) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_directory_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "result"
    target.mkdir()
    (target / "stale.txt").touch()
    with new_directory(target) as partial:
        (partial / "fresh.txt").touch(mode=0o600)
    assert [path.name for path in target.iterdir()] == ["fresh.txt"]
    assert (target / "fresh.txt").stat().st_mode & 0o200


@pytest.mark.fault
def test_failed_directory_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "result"
    target.mkdir()
    (target / "old.txt").touch()
    with pytest.raises(RuntimeError), new_directory(target) as partial:
        (partial / "half.txt").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
    assert [path.name for path in target.iterdir()] == ["old.txt"]


@pytest.mark.fault
def test_leftovers_of_a_killed_run_do_not_leak_in(tmp_path: Path) -> None:
    (tmp_path / ".result.partial").mkdir()
    (tmp_path / ".result.partial" / "leftover.txt").touch()
    with new_directory(tmp_path / "result") as partial:
        (partial / "fresh.txt").touch()
    assert [path.name for path in (tmp_path / "result").iterdir()] == ["fresh.txt"]


@pytest.mark.parametrize("new", [new_file, new_directory])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("IO error: no room (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 59008 vs 58896"),
        RuntimeError("basic_ios::clear: iostream error"),
    ],
)
@pytest.mark.fault
def test_a_full_disk_is_one_clear_line(tmp_path: Path, new: Any, error: Exception) -> None:
    target = tmp_path / "result"
    message = r"cannot write .*result: No space left on device; make room and run again"
    with pytest.raises(UserError, match=message), new(target):
        raise error
    assert not list(tmp_path.iterdir())


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), new_file(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied")
