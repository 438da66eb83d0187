"""Programs of this project, each in a process of its own that need not load the libraries first.

A cold start costs six seconds of imports, too many for a test that kills a program again and again. Here a process
that has imported the libraries, and nothing of this project, is forked for every program, which then runs as from a
command line. All of them share one seed for hashes, so what they make is compared with what a cold start made.
"""

import fcntl
import multiprocessing
import os
import resource
import runpy
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from workspace import GPUS, TIME_LIMIT, Finished, Workspace, quiet_environment

LIBRARIES = ["datasets", "pandas", "torch.distributed.launcher.api", "transformers"]
if not GPUS:  # these open the card, which a forked process cannot use then
    LIBRARIES += ["bitsandbytes", "peft", "transformers.trainer"]

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(LIBRARIES)


class Started:
    """A program that runs. It waits for its reader: at most one line that it has written is not read yet.

    As a context manager, it is ended with the block.
    """

    def __init__(self, workspace: Workspace, command: Sequence[str], largest_file: int | None = None) -> None:
        """Start `command`, as `Workspace.command` gives it; it can write `largest_file` bytes to a file at most."""
        # As packets in a pipe with room for one: a line then stays until it is read.
        reading, writing = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1)
        self.lines: list[str] = []
        """What has been read so far."""
        self._output = os.fdopen(reading, encoding="utf-8", errors="replace")
        with Connection(writing, readable=False) as pipe:
            self._process = _processes.Process(
                target=_run, args=(command[1:], workspace.root, quiet_environment(), largest_file, pipe)
            )
            self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.join()
        self._output.close()

    def __iter__(self) -> Iterator[str]:
        """The lines as they are written."""
        for line in self._output:
            self.lines.append(line)
            yield line

    def read_until(self, part: str) -> None:
        """Read up to the first line that holds `part`; there must be one."""
        assert any(part in line for line in self), self.lines

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid
        os.kill(self._process.pid, number)

    def wait(self) -> Finished:
        """Read what is left to read; how it ended. A signal that ended it is a negative status."""
        for _ in self:
            pass
        self._process.join(TIME_LIMIT)
        assert self._process.exitcode is not None, self.lines
        return Finished(self._process.exitcode, "".join(self.lines))


def _run(
    words: Sequence[str], folder: Path, environment: dict[str, str], largest_file: int | None, output: Connection
) -> None:
    """Run the program `words[0]` in this process."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    output.close()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = list(words)
    sys.path = [str(Path(words[0]).parent), *(path for path in sys.path if not _is_of_the_tests(path))]
    runpy.run_path(words[0], run_name="__main__")


def _is_of_the_tests(path: str) -> bool:
    project = Path(__file__).resolve().parents[1]
    return Path(path).resolve() in (project, project / "scripts", project / "tests")
