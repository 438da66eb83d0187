import os
from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.sources.listing import fetched_source_files, listing_fingerprint, local_source_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden/d.txt", "sub/.e.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "data"


def names(uri: str, tmp_path: Path, sha256: str = "") -> list[str]:
    with fetched_source_files(uri, tmp_path / "downloads", sha256) as files:
        assert list(files.values()) == local_source_files(uri)
        return list(files)


def test_a_file(folder: Path, tmp_path: Path) -> None:
    assert names(f"{folder}/a.txt", tmp_path) == ["a.txt"]


def test_a_directory_without_its_hidden_files(folder: Path, tmp_path: Path) -> None:
    assert names(str(folder), tmp_path) == ["a.txt", "b.txt", "sub/c.txt"]


def test_a_glob_pattern(folder: Path, tmp_path: Path) -> None:
    assert names(f"{folder}/*.txt", tmp_path) == [f"{folder}/a.txt", f"{folder}/b.txt"]
    assert names(f"{folder}/**/c.txt", tmp_path) == [f"{folder}/sub/c.txt"]


def test_addresses_elsewhere_are_not_watched() -> None:
    assert local_source_files("pypi:project==1.0/data/a.json") == []


@pytest.mark.parametrize("name", ["none.txt", "*.csv", "empty"])
def test_nothing_there(folder: Path, name: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="does not exist or holds no files"):
        local_source_files(f"{folder}/{name}")


def test_files_behind_links_and_links_in_a_circle(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "d.txt").write_text("d")
    (folder / "link").symlink_to(other)
    (folder / "sub" / "up").symlink_to(folder)
    assert names(str(folder), tmp_path) == ["a.txt", "b.txt", "link/d.txt", "sub/c.txt"]


@pytest.mark.parametrize("pattern", ["", "/*"])
@pytest.mark.fault
def test_what_cannot_be_read_is_named_and_not_left_out(folder: Path, pattern: str) -> None:
    (folder / "gone.txt").symlink_to(folder / "nothing")
    with pytest.raises(UserError, match=r"gone.txt is a link to nothing; mend it or take it out"):
        local_source_files(f"{folder}{pattern}")
    (folder / "gone.txt").unlink()
    os.mkfifo(folder / "pipe.txt")
    with pytest.raises(UserError, match=r"pipe.txt is neither a file nor a folder"):
        local_source_files(f"{folder}{pattern}")


def test_the_listing_changes_with_the_files(folder: Path) -> None:
    files = local_source_files(str(folder))
    before = listing_fingerprint(files)
    assert listing_fingerprint(files) == before
    (folder / "a.txt").write_text("longer than before")
    changed = listing_fingerprint(files)
    assert changed != before
    assert listing_fingerprint(files[1:]) not in (before, changed)


def test_a_checksum_is_for_a_single_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stands for 3 files, and a sha256 is for single files"):
        names(str(folder), tmp_path, "0" * 64)
    with pytest.raises(UserError, match="sha256 is"):
        names(f"{folder}/a.txt", tmp_path, "0" * 64)
