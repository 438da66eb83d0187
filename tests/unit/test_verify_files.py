"""`make verify-files` names every file that is not as its manifest says, and ends with status 1."""

import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.manifest import write_manifest

PROGRAM = Path(__file__).parents[2] / "scripts" / "verify_files.py"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, files in {"tokenizer": ("tokenizer.json", "report.tsv"), "sft_model": ("README.md", "a.bin")}.items():
        folder = tmp_path / "results" / name
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text(f"content of {file}")
        write_manifest(folder, inputs={}, counts={})
    return tmp_path / "results"


def verify(results: Path) -> tuple[int, list[str]]:
    command = [sys.executable, str(PROGRAM), "--results", str(results)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_results_as_they_were_made(results: Path) -> None:
    assert verify(results) == (0, ["verify-files: 4 files in 2 folders, 0.0 MB, are as they were made"])


def test_a_line_for_every_problem(results: Path) -> None:
    (results / "tokenizer" / "tokenizer.json").write_text("CONTENT of tokenizer.json")  # of the same size
    (results / "tokenizer" / "report.tsv").unlink()
    (results / "sft_model" / "README.md").write_text("another card")
    (results / "sft_model" / "notes.txt").write_text("mine")
    status, lines = verify(results)
    assert status == 1
    manifest = {name: results / name / "manifest.json" for name in ("tokenizer", "sft_model")}
    for start, end in (
        (f"damaged: {results}/tokenizer/tokenizer.json: sha256 ", f"delete {results}/tokenizer and run again"),
        (f"missing: {results}/tokenizer/report.tsv: it is missing", f"delete {results}/tokenizer and run again"),
        (f"edited: {results}/sft_model/README.md: 12 bytes, not 20", f"delete {results}/sft_model and run again"),
        (f"foreign: {results}/sft_model/notes.txt: not listed in {manifest['sft_model']}", f"{results}/sft_model"),
    ):
        assert [line for line in lines if line.startswith(start) and line.endswith(end)], (start, lines)
    assert lines[-1] == "verify-files: 4 of 4 files are not as their manifests say"
    assert len(lines) == 5


def test_what_has_no_results(tmp_path: Path) -> None:
    status, lines = verify(tmp_path)
    assert status == 1
    assert lines == [f"error: {tmp_path} holds no results with a manifest.json; `make run` makes them"]
