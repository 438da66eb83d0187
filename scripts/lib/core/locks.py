"""Locks that die with the process that holds them: advisory locks of the operating system (`flock`).

They hold between machines, too, where the network file system passes them on: NFS (since Linux 2.6.12; the lock of a
node that died ends with its lease), GPFS, CephFS, and Lustre mounted with `flock`. NFS mounted with `nolock` or
`local_lock`, and Lustre with `localflock`, keep them on one machine. Where there are none, `hold` holds nothing.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Held(Exception):
    """Another process holds the lock; the text says which."""


@contextmanager
def hold(path: Path, waits: bool = False) -> Iterator[None]:
    """Hold the lock at `path`, a file that goes with it, for the length of a block.

    Raises Held when another process has it, unless it `waits`.
    """
    with locked(path, fcntl.LOCK_EX, waits) as file:
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def locked(path: Path, kind: int, waits: bool) -> IO[str]:
    """The file at `path`, open and locked: alone (fcntl.LOCK_EX) or with others (fcntl.LOCK_SH). Raises Held."""
    while True:
        file = open_lock(path)
        if not acquire(file, kind, waits):
            with file:
                file.seek(0)
                raise Held(file.read().strip() or "another process")
        # The holder before may have removed the file that was waited for.
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()


def open_lock(path: Path) -> IO[str]:
    """The file that is locked, made when it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+", encoding="utf-8")


def acquire(file: IO[str], kind: int, waits: bool = False) -> bool:
    """Whether this process now has the lock of `kind` (fcntl.LOCK_EX, fcntl.LOCK_SH), or there are none here."""
    try:
        fcntl.flock(file, kind if waits else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    return True
