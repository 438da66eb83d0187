"""What is read is compared with its manifest; what the user put into a folder is not replaced."""

import os
from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.core.integrity import (
    CHECKSUM_MEGABYTES,
    described_directory,
    described_files,
    foreign_files,
    manifests_below,
    require_intact,
)
from lib.core.manifest import write_manifest
from lib.core.outputs import write_json
from lib.core.places import PARENT


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A folder as a step leaves it: weights, a configuration, and a tokenizer in a folder below."""
    folder = tmp_path / "results" / "model"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(2_000_000))
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer" / "tokenizer.json").write_text('{"a": 1}')
    write_manifest(folder, inputs={}, counts={})
    return folder


def test_what_is_as_it_was_made_passes(result: Path) -> None:
    assert require_intact(result, "*") == result
    assert require_intact(result / "tokenizer", "*.json") == result / "tokenizer"
    assert require_intact(result / "config.json") == result / "config.json"


def test_what_was_changed_is_refused(result: Path) -> None:
    with (result / "model.safetensors").open("r+b") as file:
        file.write(b"x")
    with pytest.raises(UserError, match=r"model\.safetensors is not the file that \S+manifest\.json describes: sha256"):
        require_intact(result, "*.safetensors")
    require_intact(result, "*.json")  # which it does not concern


@pytest.mark.fault
def test_what_was_cut_off_or_removed_is_refused(result: Path) -> None:
    (result / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r": 0 bytes, not 2,000,000; put that file back or, .* delete \S+model "):
        require_intact(result / "model.safetensors")
    (result / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json is not .*: it is missing"):
        require_intact(result, "*.json")


def test_a_file_in_a_folder_below_is_compared(result: Path) -> None:
    (result / "tokenizer" / "tokenizer.json").write_text('{"a": 2}')
    for path in (result / "tokenizer", result / "tokenizer" / "tokenizer.json"):
        with pytest.raises(UserError, match=r"tokenizer\.json is not the file that \S+model/manifest\.json describes"):
            require_intact(path, "*.json")


def test_of_large_files_the_size_is_compared(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (result / "model.safetensors").open("r+b") as file:
        file.write(b"x")
    (result / "config.json").write_text("[]")
    monkeypatch.setenv(CHECKSUM_MEGABYTES, "1")
    require_intact(result, "*.safetensors")
    with pytest.raises(UserError, match=r"config\.json"):
        require_intact(result, "*")
    monkeypatch.setenv(CHECKSUM_MEGABYTES, "2")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        require_intact(result, "*.safetensors")


def test_one_of_several_processes_compares(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (result / "config.json").write_text("[]")
    monkeypatch.setenv("RANK", "1")
    require_intact(result, "*")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UserError):
        require_intact(result, "*")


@pytest.mark.parametrize("content", [[], {}, {"files": ["a"]}, {"files": {"config.json": "sha256:0"}}])
def test_a_manifest_of_another_program_says_nothing(tmp_path: Path, content: object) -> None:
    (tmp_path / "config.json").write_text("{}")
    write_json(tmp_path / "manifest.json", content)
    assert described_files(tmp_path / "manifest.json") == {}
    require_intact(tmp_path, "*")


def test_a_described_directory_replaces_what_was_made(result: Path) -> None:
    with described_directory(result) as directory:
        (directory / "new.txt").write_text("")
        write_manifest(directory, inputs={}, counts={})
    assert {path.name for path in result.iterdir()} == {"new.txt", "manifest.json", "made_with.json"}


def test_a_described_directory_leaves_what_the_user_put_there(result: Path) -> None:
    note = result / "tokenizer" / "note.txt"
    note.write_text("mine")
    with (
        pytest.raises(UserError, match=r"note\.txt is listed in no manifest\.json, and would be removed"),
        described_directory(result),
    ):
        raise AssertionError
    assert note.read_text() == "mine"
    assert require_intact(result, "*") == result


def test_a_folder_without_a_manifest_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own" / "deep").mkdir(parents=True)
    (tmp_path / "own" / "deep" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match=r"letter\.txt is listed in no"), described_directory(tmp_path / "own"):
        raise AssertionError
    # In a job, Snakemake has removed the manifest of what is made anew.
    monkeypatch.setenv(PARENT, f"{os.getpid()}@here")
    with described_directory(tmp_path / "own"):
        pass
    assert list((tmp_path / "own").iterdir()) == []


def test_foreign_files_and_manifests(result: Path) -> None:
    (result / ".hidden").write_text("")
    (result / "tokenizer" / "more.txt").write_text("")
    assert foreign_files(result, described_files(result / "manifest.json")) == [result / "tokenizer" / "more.txt"]
    deep = result.parent / "sweep" / "tokenizer" / "1a2b"
    deep.mkdir(parents=True)
    write_manifest(deep, inputs={}, counts={})
    assert manifests_below(result.parent) == [result / "manifest.json", deep / "manifest.json"]
