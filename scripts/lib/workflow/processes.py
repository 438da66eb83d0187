"""Snakemake's own process: what it leaves when it is killed, and what a signal to it alone should reach."""

import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from lib.core.locks import acquire, open_lock
from lib.workflow.rules import SCRIPTS

TRAINERS = [str(SCRIPTS / f"{name}.py") for name in ("pretrain", "sft")]

_held: list[IO[str]] = []  # for as long as this process lives


def clear_dead_locks(folder: Path) -> None:
    """Remove the locks of a Snakemake that was killed in `folder`, as `--unlock` would; a line says so.

    Snakemake's locks are files that stay when it is killed. Every run holds a lock of the operating system beside them,
    which does not, shared with others that run in the same folder. While any of them lives, nothing is removed.
    """
    lock = open_lock(folder / ".snakemake" / "alive.lock")
    locks = folder / ".snakemake" / "locks"
    if acquire(lock, fcntl.LOCK_EX) and locks.is_dir() and any(locks.iterdir()):
        shutil.rmtree(locks)
        print("An earlier run was killed; the lock that it left is removed.", file=sys.stderr)
    acquire(lock, fcntl.LOCK_SH)
    _held.append(lock)


def pass_on_sigterm() -> None:
    """Have SIGTERM to this process alone reach trainings that it has started, which then save and stop.

    Snakemake itself waits for running jobs after SIGTERM, however long they take. Those on other machines are their
    scheduler's.
    """
    waits = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        for process in _trainings():
            process.send_signal(signal.SIGTERM)
        if callable(waits):
            waits(number, frame)

    signal.signal(signal.SIGTERM, stop)


def _trainings() -> list[psutil.Process]:
    """Training programs below this process; of those that have started others of themselves, the first."""
    below = psutil.Process(os.getpid()).children(recursive=True)
    found = {process.pid: process for process in below if any(map(TRAINERS.__contains__, _command(process)[1:2]))}
    return [process for process in found.values() if process.ppid() not in found]


def _command(process: psutil.Process) -> Any:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []
