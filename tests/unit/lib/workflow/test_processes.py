"""What a Snakemake that was killed leaves behind, and whom a signal to it alone reaches."""

import subprocess
import sys
from pathlib import Path

import pytest

from lib.workflow import processes
from workspace import PROJECT

RUNNING = f"""
import sys
sys.path.insert(0, {str(PROJECT / "scripts")!r})
from pathlib import Path
from lib.workflow.processes import clear_dead_locks
clear_dead_locks(Path(sys.argv[1]))
print("running", flush=True)
input()
"""


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    """Where Snakemake has left its locks."""
    folder = tmp_path / ".snakemake" / "locks"
    folder.mkdir(parents=True)
    (folder / "0.output.lock").write_text("results/report.html\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _released() -> None:
    processes._held.clear()


@pytest.mark.fault
def test_the_locks_of_the_dead_are_removed(locks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    processes.clear_dead_locks(tmp_path)
    assert not locks.exists()
    assert capsys.readouterr().err == "An earlier run was killed; the lock that it left is removed.\n"


def test_nothing_is_said_where_nothing_was_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    processes.clear_dead_locks(tmp_path)
    assert capsys.readouterr().err == ""


@pytest.mark.fault
def test_while_another_run_lives_its_locks_stay(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUNNING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "running\n"
        folder = tmp_path / ".snakemake" / "locks"
        folder.mkdir()
        (folder / "0.output.lock").write_text("results/report.html\n", encoding="utf-8")
        processes.clear_dead_locks(tmp_path)
        assert folder.exists()
        other.kill()
    processes._held.clear()
    processes.clear_dead_locks(tmp_path)
    assert not folder.exists()
