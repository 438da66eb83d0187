"""Several processes that train together do what one does with as much accumulation, and stop and go on as one."""

import json
import os
import signal
import subprocess
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lib.core.errors import DivergedError
from workspace import GPUS, Finished, Workspace, quiet_environment, with_options

WAIT = 120  # seconds
# Steps that take long enough to be still at work when a busy machine gets round to interrupting them.
LONG: dict[str, Any] = {"max_steps": 40, "eval_steps": 15, "save_steps": 5, "dropout": 0.1}
LONG |= {"gradient_accumulation": 2, "gradient_checkpointing": True}
TARGET = "results/pretrain_lora/manifest.json"


def command(workspace: Workspace, output: str, processes: int, **changes: Any) -> list[str]:
    """The command line of the rule `pretrain`, with another output and other settings."""
    settings = {"precision": "fp32", "max_steps": 20, "logging_steps": 1} | changes
    gpu = processes if GPUS >= 2 else 0
    return with_options(program(workspace), settings=settings, processes=str(processes), gpu=str(gpu), output=output)


@cache
def program(workspace: Workspace) -> list[str]:
    return workspace.command("pretrain", TARGET)


def run(workspace: Workspace, output: str, processes: int, **changes: Any) -> Finished:
    return workspace.run(*command(workspace, output, processes, **changes))


def log(workspace: Workspace, output: str) -> pd.DataFrame:
    return pd.read_csv((workspace.root / output).parent / "trainer_log.tsv", sep="\t")


def adapter_sha256(workspace: Workspace, output: str) -> str:
    manifest = json.loads((workspace.root / output).read_text(encoding="utf-8"))
    return str(manifest["files"]["adapter_model.safetensors"]["sha256"])


@pytest.fixture(scope="module")
def workspace(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with all results, in which every run of these tests has an output of its own."""
    return finished.copy(tmp_path_factory.mktemp("processes") / "project")


@pytest.fixture(scope="module")
def two(workspace: Workspace) -> str:
    """What two processes have trained."""
    return trained(workspace, "two/manifest.json")


@pytest.fixture(scope="module")
def undisturbed(workspace: Workspace) -> str:
    """What two processes have trained in a run that can be interrupted."""
    return trained(workspace, "undisturbed/manifest.json", **LONG)


def trained(workspace: Workspace, output: str, **changes: Any) -> str:
    finished = run(workspace, output, processes=2, **changes)
    assert finished.status == 0, finished.output
    return output


def test_two_processes_have_the_curve_of_one_with_twice_the_accumulation(workspace: Workspace, two: str) -> None:
    finished = run(workspace, "one/manifest.json", processes=1, gradient_accumulation=2)
    assert finished.status == 0, finished.output
    one, both = log(workspace, "one/manifest.json"), log(workspace, two)
    assert list(one) == list(both)
    assert one["loss"].count() == 20
    for column in ("loss", "eval_loss", "learning_rate"):
        np.testing.assert_allclose(both[column], one[column], atol=1e-4)
    manifest = json.loads((workspace.root / two).read_text(encoding="utf-8"))
    assert manifest["facts"]["processes"] == 2
    assert manifest["counts"]["steps"] == 20


def test_what_two_processes_print_and_leave_is_what_one_does(workspace: Workspace, two: str) -> None:
    finished = run(workspace, "again/manifest.json", processes=2)
    steps = [line for line in finished.output.splitlines() if line.startswith("pretrain: step")]
    assert len(steps) == 20 + 2  # the last two of validation, at the start and at the end
    assert len(set(steps)) == len(steps)
    assert all(line.startswith("pretrain: ") for line in finished.output.splitlines()), finished.output
    assert adapter_sha256(workspace, "again/manifest.json") == adapter_sha256(workspace, two)
    assert not list((workspace.root / "work").rglob("checkpoint-*"))


@pytest.mark.parametrize(("number", "fsdp"), [(signal.SIGTERM, False), (signal.SIGKILL, False), (signal.SIGTERM, True)])
@pytest.mark.fault
def test_interrupted_they_go_on_to_the_same_bits_as_whole_weights_undisturbed(
    workspace: Workspace, undisturbed: str, number: signal.Signals, fsdp: bool
) -> None:
    output = f"{number.name}-{fsdp}/manifest.json"
    words = command(workspace, output, 2, **LONG, fsdp=fsdp)
    lines, status = signalled(words, workspace, number, "pretrain: step  8/40  loss")
    assert status == (75 if number == signal.SIGTERM else 128 + signal.SIGKILL), lines
    assert not (workspace.root / output).parent.exists()
    if number == signal.SIGTERM:
        assert sum("stopped by SIGTERM" in line for line in lines) == 1, lines
    finished = workspace.run(*words)
    assert "pretrain: going on from" in finished.output
    assert finished.status == 0, finished.output
    pd.testing.assert_frame_equal(log(workspace, output), log(workspace, undisturbed), rtol=1e-6)
    assert adapter_sha256(workspace, output) == adapter_sha256(workspace, undisturbed)


def test_weights_are_not_sharded_over_one_process(workspace: Workspace) -> None:
    finished = run(workspace, "alone/manifest.json", processes=1, fsdp=True)
    assert finished.status == 1
    assert finished.errors == [
        "error: settings: pretrain.fsdp spreads weights over processes, but there is one; raise gpu or nodes"
    ]


def signalled(words: list[str], workspace: Workspace, number: signal.Signals, at: str) -> tuple[list[str], int]:
    """Lines and exit status of a program that gets a signal once it has printed a line that begins with `at`."""
    process = subprocess.Popen(
        words, cwd=workspace.root, env=quiet_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(at):
            if number == signal.SIGKILL:
                os.kill(workspace.trainer(RANK="1"), number)
            else:
                process.send_signal(number)
            break
    return lines + list(process.stdout), process.wait(WAIT)


@pytest.mark.fault
def test_time_limit_stops_all_of_them(workspace: Workspace) -> None:
    finished = run(workspace, "short/manifest.json", processes=2, max_minutes=1e-9, rank=3)
    assert finished.status == 75
    assert "pretrain: stopped by max_minutes at step 1; run again to go on" in finished.output


def test_mistake_is_one_line(workspace: Workspace) -> None:
    finished = run(workspace, "wrong/manifest.json", processes=2, target_modules=["nothing"])
    assert finished.status == 1
    assert len(finished.errors) == 1
    assert "target_modules names 'nothing'" in finished.errors[0]
    assert "Traceback" not in finished.output


@pytest.mark.fault
def test_loss_that_is_no_number_in_one_process_is_one_line(workspace: Workspace) -> None:
    changes = {"learning_rate": 1e30, "max_grad_norm": 1e30, "schedule": "constant"}
    finished = run(workspace, "infinite/manifest.json", processes=2, **changes)
    assert finished.status == DivergedError.status
    assert len(finished.errors) == 1
    assert "the loss is" in finished.errors[0]
    assert "Traceback" not in finished.output
