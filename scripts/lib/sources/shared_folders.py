"""Folders that several jobs use at once: one fills it while others wait, and the last one removes it.

The locks are those of the operating system (`flock`), so that they end with the processes that hold them. On a file
system that has none, jobs do not wait for each other.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def shared(folder: Path) -> Iterator[Callable[[], None]]:
    """Use `folder` for the length of a block. Yields what removes it, unless others still use it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{folder.name}.lock"), fcntl.LOCK_SH) as lock:

        def remove() -> None:
            if _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(folder, ignore_errors=True)
                os.unlink(lock.name)

        yield remove


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other job is in such a block for this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock", fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[IO[bytes]]:
    while True:
        with path.open("ab") as file:
            _lock(file, kind)
            if not _is_still_there(file, path):  # removed by the one that held it
                continue
            yield file
            return


def _lock(file: IO[bytes], kind: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
    return True


def _is_still_there(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
