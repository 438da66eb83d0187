"""A manifest names files, inputs and settings, and is the same for the same content."""

from importlib.metadata import version
from pathlib import Path

import pytest

from lib.core.code_version import surroundings
from lib.core.errors import UserError
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json, sha256_file
from lib.settings.sft import InstructionSettings


def test_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("input")
    directory = tmp_path / "result"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "file.txt").write_text("content")
    for _ in range(2):
        write_manifest(
            directory,
            inputs={"text": tmp_path / "input.txt"},
            counts={"documents": 3},
            settings=InstructionSettings(max_length=99),
            seed=7,
            packages=["pydantic"],
        )
    manifest = read_json(directory / "manifest.json")
    checksum = sha256_file(directory / "deep" / "file.txt")
    assert manifest["files"] == {"deep/file.txt": {"bytes": 7, "sha256": checksum}}
    assert manifest["inputs"] == {"text": sha256_file(tmp_path / "input.txt")}
    assert manifest["settings"]["max_length"] == 99
    assert manifest["versions"] == {"pydantic": version("pydantic")}
    assert (manifest["counts"], manifest["seed"]) == ({"documents": 3}, 7)


def test_the_code_that_made_it_is_named_beside_it(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("content")
    write_manifest(tmp_path, inputs={}, counts={})
    assert read_json(tmp_path / "made_with.json") == surroundings()
    manifest = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    (tmp_path / "made_with.json").write_text("that of another commit")
    write_manifest(tmp_path, inputs={}, counts={})
    assert (tmp_path / "manifest.json").read_text(encoding="utf-8") == manifest


@pytest.mark.fault
def test_missing_and_torn_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; run the step"):
        read_json(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"torn\.json is not valid JSON .* delete it"):
        read_json(tmp_path / "torn.json")
