"""Without Snakemake's records, results are neither taken for finished nor made again without a word."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[4] / "scripts"
RULES = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from lib.workflow.records import refuse_unrecorded

rule all:
    input: "b"

rule a:
    output: "a"
    params: config.get("text", "one")
    shell: "echo {{params}} > a"

rule b:
    input: "a"
    output: "b"
    shell: "cp a b"

refuse_unrecorded(workflow)
"""


def snakemake(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options]
    done = subprocess.run(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500, check=False
    )
    return done.stdout


@pytest.mark.fault
def test_lost_records_are_told_and_results_stay(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(RULES, encoding="utf-8")
    snakemake(tmp_path)
    assert (tmp_path / "b").read_text() == "one\n"
    assert "Nothing to be done" in snakemake(tmp_path)
    shutil.rmtree(tmp_path / ".snakemake")
    said = snakemake(tmp_path, "--config", "text=two")
    assert "error: nothing is recorded of how a and 1 more came about" in said, said
    assert "Nothing to be done" not in said
    assert (tmp_path / "b").read_text() == "one\n"

    snakemake(tmp_path, "--touch", "--forceall")
    assert (tmp_path / "b").read_text() == "one\n"
    assert "Nothing to be done" in snakemake(tmp_path)
    shutil.rmtree(tmp_path / ".snakemake")
    snakemake(tmp_path, "--forceall", "--config", "text=two")
    assert (tmp_path / "b").read_text() == "two\n"
