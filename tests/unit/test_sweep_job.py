"""A program run for a point of a sweep: what fails by the point's settings becomes a result, everything else ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.outputs import read_json

SCRIPTS = Path(__file__).parents[2] / "scripts"
WAIT = 120

PROGRAM = """\
import sys, time
from pathlib import Path
sys.path.insert(0, {scripts!r})
from lib.core.errors import DivergedError, OutOfMemoryError, UserError
from lib.core.program import run

def main():
    print("started", flush=True)
    print("a warning", file=sys.stderr)
    output = Path(sys.argv[sys.argv.index("--output") + 1])
{body}

run(main)
"""


def start(folder: Path, body: str, *options: str) -> subprocess.Popen[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM.format(scripts=str(SCRIPTS), body=body), encoding="utf-8")
    output = ("--output", str(folder / "made" / "manifest.json"))
    command = [sys.executable, str(SCRIPTS / "sweep_job.py"), str(program), *options, *output]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("kind", "name"), [("DivergedError", "diverged"), ("OutOfMemoryError", "out of memory")])
def test_a_training_that_fails_is_a_result_which_later_programs_pass_on(tmp_path: Path, kind: str, name: str) -> None:
    output, errors = (process := start(tmp_path, f'    raise {kind}("pretrain: no good")')).communicate(timeout=WAIT)
    assert process.returncode == 0, errors
    assert (output, errors) == (
        f"started\nsweep: this point is in the table as {name}\n",
        "a warning\nerror: pretrain: no good\n",
    )
    made = tmp_path / "made" / "manifest.json"
    failure = {"name": name, "sentence": "pretrain: no good"}
    assert read_json(made)["facts"] == {"failure": failure}

    scores, measurements = tmp_path / "scores.json", tmp_path / "items.tsv"
    options = ("--adapter", str(made), "--scores", str(scores), "--measurements", str(measurements))
    command = [sys.executable, str(SCRIPTS / "sweep_job.py"), "nothing.py", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert read_json(scores) == {"failure": failure}
    assert measurements.read_text() == ""


@pytest.mark.parametrize(
    ("body", "status"),
    [("    raise UserError('settings: no')", 1), ("    raise KeyError('nowhere')", 1), ("    sys.exit(75)", 75)],
)
def test_whatever_else_goes_wrong_ends_the_job(tmp_path: Path, body: str, status: int) -> None:
    process = start(tmp_path, body)
    process.communicate(timeout=WAIT)
    assert process.returncode == status
    assert not (tmp_path / "made").exists()


def test_a_program_that_ends_well_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    body = "    output.write_text('{\"facts\": {}}')"
    settings = json.dumps({"text": "a/manifest.json"})
    process = start(tmp_path, body, "--settings", settings)
    output, errors = process.communicate(timeout=WAIT)
    assert (process.returncode, output, errors) == (0, "started\n", "a warning\n")
    assert read_json(tmp_path / "made" / "manifest.json") == {"facts": {}}


def test_a_signal_reaches_the_program(tmp_path: Path) -> None:
    process = start(tmp_path, f"    time.sleep({WAIT})")
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=WAIT)
    assert process.returncode == 128 + signal.SIGTERM
