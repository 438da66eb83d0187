"""Folders that several jobs use at once: one fills it while others wait, and the last one removes it.

The locks are those of `lib.core.locks`: they end with the processes that hold them. Where a file system has none, jobs
do not wait for each other.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.core.locks import acquire, locked


@contextmanager
def shared(folder: Path) -> Iterator[Callable[[], None]]:
    """Use `folder` for the length of a block. Yields what removes it, unless others still use it."""
    with locked(folder.with_name(f"{folder.name}.lock"), fcntl.LOCK_SH, waits=True) as lock:

        def remove() -> None:
            if acquire(lock, fcntl.LOCK_EX):
                shutil.rmtree(folder, ignore_errors=True)
                os.unlink(lock.name)

        yield remove


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other job is in such a block for this folder."""
    with locked(folder / ".lock", fcntl.LOCK_EX, waits=True):
        yield
