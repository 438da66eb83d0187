"""The jobs of a run, written down when it starts, so that another program can follow it without disturbing it.

Snakemake removes a job's log when the job starts and writes its benchmark when it has ended well, so the two tell how
far a job is, on this machine and on a cluster.
"""

import json
import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from lib.core.errors import UserError
from lib.core.outputs import new_file
from lib.core.parent import has_ended

FILE = Path(".snakemake") / "jobs.json"
"""Where the plan is, in the run's folder."""
END = FILE.with_name("jobs_end.txt")
"""How the run ended: `finished` or `failed`. Not there while it goes on."""

JobState = Literal["waiting", "running", "done"]
RunState = Literal["running", "finished", "failed", "killed"]


@dataclass(frozen=True)
class Job:
    """One job that runs a program."""

    rule: str
    threads: int
    log: str
    """From the run's folder, as `benchmark`."""
    benchmark: str
    needs: list[int]
    """Places of the jobs that come before, in the plan."""


@dataclass(frozen=True)
class Plan:
    """What a call of Snakemake runs."""

    started: float
    """Time of the file that holds the plan, in seconds since 1970: what is newer is of this run."""
    cores: int | None
    """How many jobs share; None on a cluster."""
    process: str
    """Snakemake's number, when it began, and its machine."""
    jobs: list[Job]


def write_plan(folder: Path, jobs: Iterable[Job], cores: int | None) -> None:
    """Write down that this process, Snakemake, starts these jobs in `folder`."""
    process = psutil.Process()
    described = {
        "cores": cores,
        "process": f"{process.pid} {process.create_time()} {socket.gethostname()}",
        "jobs": [asdict(job) for job in jobs],
    }
    with suppress(OSError, UserError):  # a run does not end because nobody can follow it
        (folder / END).unlink(missing_ok=True)
        with new_file(folder / FILE) as path:
            path.write_text(json.dumps(described), encoding="utf-8")


def write_end(folder: Path, state: Literal["finished", "failed"]) -> None:
    """Write down how the run in `folder` has ended."""
    with suppress(OSError):
        (folder / END).write_text(state, encoding="utf-8")


def read_plan(folder: Path) -> Plan | None:
    """The plan of the last run in `folder`; None where there was none yet."""
    try:
        with (folder / FILE).open(encoding="utf-8") as file:
            started = os.fstat(file.fileno()).st_mtime
            described: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return None
    jobs = [Job(**job) for job in described.pop("jobs")]
    return Plan(started, jobs=jobs, **described)


def run_state(plan: Plan, folder: Path) -> RunState:
    """Whether the run in `folder` goes on. Of a Snakemake on another machine it is not known that it was killed."""
    if (folder / END).is_file():
        return "finished" if (folder / END).read_text(encoding="utf-8") == "finished" else "failed"
    number, began, host = plan.process.split(" ", 2)
    if host != socket.gethostname():
        return "running"
    try:
        process = psutil.Process(int(number))
        return "killed" if process.create_time() != float(began) or has_ended(process) else "running"
    except psutil.NoSuchProcess:
        return "killed"


def job_state(plan: Plan, job: Job, folder: Path) -> JobState:
    """How far a job of the run in `folder` is; one that failed looks as if it were running."""
    if time_of(folder / job.benchmark) >= plan.started:
        return "done"
    return "running" if time_of(folder / job.log) >= plan.started else "waiting"


def seconds_since_any_change(plan: Plan, folder: Path) -> float:
    """Seconds since a job of the run in `folder` last wrote a line or ended."""
    times = (time_of(folder / path) for job in plan.jobs for path in (job.log, job.benchmark))
    return time.time() - max([plan.started, *times])


def time_of(path: Path) -> float:
    """When a file was last written to, in seconds since 1970; 0 where it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
