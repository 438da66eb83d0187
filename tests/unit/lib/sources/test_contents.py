"""What lies at an address is known by its content, not by the address."""

import os
from pathlib import Path

import pytest

from lib.core.outputs import sha256_file
from lib.sources import contents
from lib.sources.contents import NOTES, Origin
from lib.sources.listing import local_source_files

SUM, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "more/b.jsonl", "texts/1.txt", "texts/2.txt", "copies/1.txt", "copies/2.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text" if name.endswith("jsonl") else name[-5:], encoding="utf-8")
    return tmp_path


def content(uri: str, sha256: str = "") -> str:
    return Origin(uri, sha256, local_source_files(uri)).content()


def test_a_copy_is_the_same(folder: Path) -> None:
    assert content("a.jsonl") == content("more/b.jsonl") == content(str(folder / "a.jsonl"))
    assert content("texts") == content("copies")


def test_what_makes_a_difference(folder: Path) -> None:
    before = content("a.jsonl"), content("texts")
    (folder / "a.json").write_text("text", encoding="utf-8")
    assert content("a.json") != before[0]  # the ending says how a file is read
    (folder / "a.jsonl").write_text("TEXT", encoding="utf-8")
    assert content("a.jsonl") != before[0]
    (folder / "texts" / "2.txt").rename(folder / "texts" / "3.txt")
    assert content("texts") != before[1]


def test_the_right_checksum_changes_nothing_and_a_wrong_one_does(folder: Path) -> None:
    right = sha256_file(folder / "a.jsonl")
    assert content("a.jsonl", right) == content("a.jsonl", right.upper()) == content("a.jsonl")
    assert content("a.jsonl", SUM) != content("a.jsonl")
    assert content("texts", right) != content("texts")


def test_a_remote_file_is_known_by_its_checksum() -> None:
    assert content("https://host/a.jsonl.gz", SUM) == content("https://mirror/old/b.jsonl.gz?x=1", SUM.upper())
    assert content("https://host/a.jsonl.gz", SUM) != content("https://host/a.jsonl.gz", OTHER)
    assert content("https://host/a.jsonl.gz", SUM) != content("https://host/a.csv", SUM)
    assert content("https://host/a.jsonl") == "https://host/a.jsonl"


def test_checksums_of_large_files_are_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "NOTED_BYTES", 1)
    before = content("a.jsonl")
    (line,) = NOTES.read_text(encoding="utf-8").splitlines()
    assert sha256_file(folder / "a.jsonl") in line
    assert content("a.jsonl") == before
    assert len(NOTES.read_text(encoding="utf-8").splitlines()) == 1
    time = (folder / "a.jsonl").stat().st_mtime_ns
    (folder / "a.jsonl").write_text("TEXT", encoding="utf-8")
    os.utime(folder / "a.jsonl", ns=(time + 1, time + 1))
    assert content("a.jsonl") != before


def test_half_a_line_among_the_notes_does_no_harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "NOTED_BYTES", 1)
    NOTES.parent.mkdir()
    NOTES.write_text('["/a.jsonl", 4', encoding="utf-8")
    assert content("a.jsonl").startswith("content ")


def test_too_much_to_read_is_left_to_snakemake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "KNOWN_BYTES", 3)
    origin = Origin("a.jsonl", "", ["a.jsonl"])
    assert not origin.is_known
    assert origin.content() == "a.jsonl"
