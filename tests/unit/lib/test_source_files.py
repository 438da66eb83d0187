from pathlib import Path

import pytest

from lib.errors import UserError
from lib.source_files import fetched_source_files, local_source_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden/d.txt", "sub/.e.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "data"


def names(uri: str, tmp_path: Path, sha256: str = "") -> list[str]:
    with fetched_source_files(uri, tmp_path / "downloads", sha256) as files:
        assert [str(path) for path in files.values()] == local_source_files(uri)
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


def test_a_checksum_is_for_a_single_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stands for 3 files, and a sha256 is for single files"):
        names(str(folder), tmp_path, "0" * 64)
    with pytest.raises(UserError, match="sha256 is"):
        names(f"{folder}/a.txt", tmp_path, "0" * 64)
