"""A training job that is killed or told to stop goes on where it was, and ends as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from workspace import SETTINGS, Workspace, quiet_environment

TARGET = "results/pretrain_lora/manifest.json"
WAIT = 120  # seconds


def adapter_sha256(workspace: Workspace) -> str:
    manifest = json.loads((workspace.root / TARGET).read_text(encoding="utf-8"))
    return str(manifest["files"]["adapter_model.safetensors"]["sha256"])


def checkpoints(workspace: Workspace) -> list[Path]:
    """Whole checkpoints: the state is what the trainer writes last."""
    return sorted(path.parent for path in (workspace.root / "work").glob("pretrain/*/checkpoint-*/trainer_state.json"))


def start(workspace: Workspace, *command: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a command whose lines can be read as they come."""
    return subprocess.Popen(
        command,
        cwd=workspace.root,
        env=quiet_environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_killed_in_the_middle_it_ends_as_if_nothing_had_happened(done: Workspace) -> None:
    expected = adapter_sha256(done)
    command = (sys.executable, "-m", "snakemake", "--cores", "2", "--forcerun", "pretrain", "--", TARGET)
    run = start(done, *command)
    limit = time.monotonic() + WAIT
    while not checkpoints(done):
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < limit
        time.sleep(0.01)
    os.kill(training_process(done), signal.SIGKILL)
    output, _ = run.communicate(timeout=WAIT)
    assert run.returncode != 0, output
    assert not (done.root / TARGET).exists()

    resumed = done.make(TARGET)
    assert "pretrain: going on from" in resumed
    assert adapter_sha256(done) == expected


def training_process(workspace: Workspace) -> int:
    """Id of the process that trains in this workspace."""
    program = str(workspace.root / "scripts" / "pretrain.py").encode()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended in the meantime
            continue
        if program in arguments[:3]:
            return int(directory.name)
    raise AssertionError("no training process")


def test_told_to_stop_it_leaves_a_checkpoint_and_goes_on_from_it(done: Workspace) -> None:
    expected = adapter_sha256(done)
    run = start(done, *done.command("pretrain", TARGET))
    assert run.stdout
    lines = []
    for line in run.stdout:
        lines.append(line)
        if line.startswith("pretrain: step"):
            run.terminate()
            break
    lines += list(run.stdout)
    assert run.wait(WAIT) == 75, lines
    assert any("stopped by SIGTERM" in line and "run again to go on" in line for line in lines), lines
    step = int(checkpoints(done)[-1].name.removeprefix("checkpoint-"))
    assert 0 < step < SETTINGS["pretrain"]["max_steps"]

    resumed = done.make("--forcerun", "pretrain", "--", TARGET)
    assert f"checkpoint-{step}" in resumed
    assert adapter_sha256(done) == expected
