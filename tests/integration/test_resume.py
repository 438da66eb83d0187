"""A training job that is interrupted goes on where it was, and ends as if nothing had happened."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from lib.core.parent import has_ended
from lib.training.checkpoints import is_whole
from warm_start import Started
from workspace import Finished, Workspace, quiet_environment, with_options

TARGET = "results/pretrain_lora/manifest.json"
WAIT = 120  # seconds
STAGES = ("pretrain", "sft")
STEPS, SAVE_STEPS, STOP_AT, KILLS = 40, 3, 20, 5
# Dropout draws random numbers in every step.
SETTINGS = {
    "dropout": 0.1,
    "max_steps": STEPS,
    "save_steps": SAVE_STEPS,
    "eval_steps": 8,
    "logging_steps": 1,
    "save_total_limit": 2,
}
NO_TIME = 1e-9  # minutes: over before the first step is
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class Job:
    """A training program of a finished workspace, with a work directory and an output of its own."""

    workspace: Workspace
    stage: str
    words: list[str]
    work: Path
    output: Path

    def command(self, settings: Mapping[str, Any] | None = None, **options: str | Path) -> list[str]:
        """Its command line, with some settings or flags changed."""
        own = {"work": self.work, "output": self.output / "manifest.json"}
        return with_options(self.words, settings=SETTINGS | (settings or {}), **(own | options))

    def start(
        self, settings: Mapping[str, Any] | None = None, largest_file: int | None = None, **options: str | Path
    ) -> Started:
        return Started(self.workspace, self.command(settings, **options), largest_file)

    def run(self, settings: Mapping[str, Any] | None = None, **options: Any) -> Finished:
        with self.start(settings, **options) as started:
            return started.wait()

    def whole(self) -> list[int]:
        """Steps of the whole checkpoints, the newest last."""
        found = self.work.glob(f"{self.stage}/*/checkpoint-*")
        return sorted(int(path.name.removeprefix("checkpoint-")) for path in found if is_whole(path))

    def checkpoint(self, step: int) -> Path:
        (path,) = self.work.glob(f"{self.stage}/*/checkpoint-{step}")
        return path

    def published(self) -> dict[str, str]:
        """Checksums of what it has made: the adapter and the log of its training."""
        manifest = json.loads((self.output / "manifest.json").read_text(encoding="utf-8"))
        checksums = {name: str(file["sha256"]) for name, file in manifest["files"].items()}
        assert {WEIGHTS, "trainer_log.tsv"} < checksums.keys()
        return checksums


@pytest.fixture(scope="module", params=STAGES)
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def job_in(folder: Path, workspace: Workspace, commands: Mapping[str, list[str]], stage: str) -> Job:
    return Job(workspace, stage, commands[stage], folder / "work", folder / "adapter")


@pytest.fixture(scope="module")
def expected(
    finished: Workspace, commands: dict[str, list[str]], stage: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What an undisturbed run makes that was started from a command line."""
    job = job_in(tmp_path_factory.mktemp("undisturbed"), finished, commands, stage)
    undisturbed = finished.run(*job.command())
    assert undisturbed.status == 0, undisturbed.output
    return job.published()


@pytest.fixture(scope="module")
def stopped(
    finished: Workspace, commands: dict[str, list[str]], stage: str, tmp_path_factory: pytest.TempPathFactory
) -> Job:
    """A job that was stopped by SIGTERM half-way and kept all its checkpoints. To be copied."""
    job = job_in(tmp_path_factory.mktemp("stopped"), finished, commands, stage)
    with job.start({"save_total_limit": STEPS}) as run:
        run.read_until(f"step {STOP_AT}/{STEPS}  loss")
        run.signal(signal.SIGTERM)
        end = run.wait()
    assert end.status == 75, end.output
    (step,) = re.findall(r"stopped by SIGTERM at step (\d+); run again to go on", end.output)
    assert STOP_AT <= int(step) == job.whole()[-1] < STEPS
    assert not job.output.exists()
    return job


@pytest.fixture
def job(finished: Workspace, commands: dict[str, list[str]], stage: str, tmp_path: Path) -> Job:
    """A job that has not begun."""
    return job_in(tmp_path, finished, commands, stage)


@pytest.fixture
def interrupted(stopped: Job, tmp_path: Path) -> Job:
    """A job of the test's own that was stopped half-way."""
    shutil.copytree(stopped.work, tmp_path / "work")
    return replace(stopped, work=tmp_path / "work", output=tmp_path / "adapter")


def gone_on_from(finished: Finished) -> int:
    """The step at which a run took up the work of another; 0 when it began anew."""
    steps = re.findall(r"going on from \S+checkpoint-(\d+)\n", finished.output)
    assert len(steps) <= 1, finished.output
    return int(steps[0]) if steps else 0


def ends_as_expected(job: Job, expected: Mapping[str, str], **options: Any) -> Finished:
    """Run a job to its end: it must make what an undisturbed one makes, and leave no checkpoint."""
    finished = job.run(**options)
    assert finished.status == 0, finished.output
    assert job.published() == expected
    assert not list(job.work.glob("*/*"))
    return finished


def test_two_undisturbed_runs_make_the_same_bits(job: Job, expected: dict[str, str]) -> None:
    assert gone_on_from(ends_as_expected(job, expected)) == 0


@pytest.mark.fault
def test_killed_again_and_again(job: Job, expected: dict[str, str]) -> None:
    # Two steps apart at least: a run is up to two steps beyond the line at which it is killed.
    draws = sorted(random.Random(job.stage).sample(range(1, STEPS - 2 * (KILLS - 1)), KILLS))
    newest = 0
    for step in (draw + 2 * number for number, draw in enumerate(draws)):
        with job.start() as run:
            run.read_until(f"step {step:>2}/{STEPS}  loss")
            run.signal(signal.SIGKILL)
            killed = run.wait()
        assert killed.status == -signal.SIGKILL
        assert not job.output.exists()
        assert gone_on_from(killed) == newest
        newest = max(job.whole(), default=0)
        assert newest >= step - SAVE_STEPS
    assert gone_on_from(ends_as_expected(job, expected)) == newest


@pytest.mark.fault
def test_told_to_stop_and_then_out_of_time(interrupted: Job, expected: dict[str, str]) -> None:
    step = interrupted.whole()[-1]
    end = interrupted.run({"max_minutes": NO_TIME})
    assert end.status == 75
    assert gone_on_from(end) == step
    assert f"stopped by max_minutes at step {step + 1}; run again to go on" in end.output
    assert not interrupted.output.exists()
    assert gone_on_from(ends_as_expected(interrupted, expected)) == step + 1


@pytest.mark.fault
def test_damaged_checkpoints_give_way_to_the_one_before(interrupted: Job, expected: dict[str, str]) -> None:
    third, second, newest = interrupted.whole()[-3:]
    optimizer = interrupted.checkpoint(newest) / "optimizer.pt"
    os.truncate(optimizer, optimizer.stat().st_size // 2)
    (interrupted.checkpoint(second) / WEIGHTS).unlink()
    finished = ends_as_expected(interrupted, expected)
    for step in (newest, second):
        assert re.search(rf"checkpoint-{step} is damaged; .* the one before it is used", finished.output)
    assert gone_on_from(finished) == third


@pytest.mark.parametrize("changed", ["settings", "seed", "data"])
@pytest.mark.fault
def test_what_changed_never_resumes(interrupted: Job, commands: dict[str, list[str]], changed: str) -> None:
    settings: dict[str, float] = {"max_minutes": NO_TIME}
    options: dict[str, str | Path] = {}
    if changed == "settings":
        settings["learning_rate"] = 0.02
    elif changed == "seed":
        options["seed"] = "2"
    else:
        options["data"] = interrupted.work.parent / "data" / "manifest.json"
        made = with_options(commands[f"{interrupted.stage}_data"], seed="2", output=options["data"])
        with Started(interrupted.workspace, made) as run:
            assert run.wait().status == 0, run.lines
    end = interrupted.run(settings, **options)
    assert end.status == 75
    assert gone_on_from(end) == 0
    assert "stopped by max_minutes at step 1;" in end.output


@dataclass(frozen=True)
class NoRoom:
    """A place where a checkpoint does not fit."""

    folder: Path
    largest_file: int | None
    """Most bytes of a file, when that is what there is no room for."""

    def grow(self) -> None:
        if self.largest_file is None:
            subprocess.run(["mount", "-o", "remount,size=64m", str(self.folder)], check=True)


@pytest.fixture(params=["full disk", "largest file"])
def no_room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NoRoom]:
    """A disk with room for one checkpoint and a half; where none may be mounted, a limit as on the size of files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=280k", "tmpfs", str(disk)]
    is_mounted = (
        request.param == "full disk" and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )
    try:
        yield NoRoom(disk, None if is_mounted else 60_000)
    finally:
        if is_mounted:
            subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.fault
def test_a_checkpoint_without_room_is_one_line_and_no_loss(job: Job, expected: dict[str, str], no_room: NoRoom) -> None:
    job = replace(job, work=no_room.folder / "work")
    failed = job.run(largest_file=no_room.largest_file)
    assert failed.status == 1
    (line,) = failed.errors
    assert re.fullmatch(r"error: cannot write \S+/checkpoint-\d+: [A-Z][a-z ]+; make room and run again, .*", line)
    assert "Traceback" not in failed.output
    assert not job.output.exists()
    whole = job.whole()
    assert len(list(job.work.rglob("checkpoint-*"))) == len(whole)
    no_room.grow()
    assert gone_on_from(ends_as_expected(job, expected)) == max(whole, default=0)


def wait_for_end(process: psutil.Process) -> None:
    """Wait until a process that a signal ends has ended: the kernel takes back its memory first.

    It is nobody's child here, and may stay a zombie where no first process takes notice of the ends of others.
    """
    limit = time.monotonic() + WAIT
    while not has_ended(process):
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("victim", ["the training", "Snakemake", "Snakemake, asked to stop", "the terminal"])
@pytest.mark.fault
def test_stopped_under_snakemake_the_same_command_ends_as_if_nothing_had_happened(done: Workspace, victim: str) -> None:
    target = done.root / TARGET
    expected = json.loads(target.read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--forcerun", "pretrain", "--", TARGET]
    with (done.root / "snakemake.log").open("w+", encoding="utf-8") as log:
        snakemake = subprocess.Popen(
            command,
            cwd=done.root,
            env=quiet_environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        done.wait_for_checkpoint(snakemake)
        trainer = psutil.Process(done.trainer())
        if victim == "the training":
            trainer.kill()
        elif victim == "the terminal":
            os.killpg(snakemake.pid, signal.SIGHUP)
        else:
            snakemake.send_signal(signal.SIGTERM if victim.endswith("stop") else signal.SIGKILL)
        assert snakemake.wait(WAIT) != 0
    assert not target.exists()
    if victim != "Snakemake":  # which leaves its training behind: the next run waits for that to end
        wait_for_end(trainer)

    assert "pretrain: going on from" in done.make(TARGET)
    assert has_ended(trainer)
    assert json.loads(target.read_text(encoding="utf-8")) == expected


@pytest.mark.fault
def test_a_second_training_waits_for_the_first_and_leaves_its_work_alone(job: Job, expected: dict[str, str]) -> None:
    with job.start() as first:
        first.read_until(f"step {STOP_AT}/{STEPS}  loss")
        with job.start() as second:
            second.read_until("waiting for it to end")
            assert first.wait().status == 0
            end = second.wait()
    assert end.status == 0, end.output
    assert re.search(rf"{job.stage}: process \d+ on \S+ trains in ", end.output)
    assert f"{job.stage}: it has finished this stage" in end.output
    assert job.published() == expected
