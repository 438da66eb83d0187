"""The process that started this program's job: Snakemake, of which rules say `PARENT` in the environment.

A program that outlives it would go on unseen, beside the one that the next run starts.
"""

import os
import socket

import psutil

from lib.core.places import PARENT


class Parent:
    """Snakemake as it was when this object was made."""

    def __init__(self) -> None:
        number, _, host = os.environ.get(PARENT, "").partition("@")
        self.process = None
        # Of processes on several nodes, only those beside Snakemake can see it.
        if number.isdecimal() and host == socket.gethostname() and psutil.pid_exists(int(number)):
            self.process = psutil.Process(int(number))

    def has_gone(self) -> bool:
        """Whether Snakemake has ended. A new process of the same number is another."""
        return self.process is not None and has_ended(self.process)


def has_ended(process: psutil.Process) -> bool:
    """Whether `process` has ended, even if its own parent has taken no notice yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
