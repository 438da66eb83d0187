"""What a program takes from its start to its end."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY = 0.01  # seconds


@dataclass(frozen=True)
class Cost:
    """What processes took, one after another."""

    seconds: float
    """Of a processor."""
    megabytes: float
    """Peak memory of the largest."""
    wall_seconds: float

    def __add__(self, after: "Cost") -> "Cost":
        """Both, one after the other."""
        seconds, wall_seconds = self.seconds + after.seconds, self.wall_seconds + after.wall_seconds
        return Cost(seconds, max(self.megabytes, after.megabytes), wall_seconds)


def cost_of(commands: Sequence[Sequence[object]], environment: Mapping[str, str]) -> Cost:
    """Run programs to their ends; ends this one, with their last lines, if one fails.

    Peak memory is read from the running program: what the system reports of one that has ended counts the process that
    it was forked from, too.
    """
    seconds, peak, start = 0.0, 0.0, time.perf_counter()
    for command in commands:
        words = list(map(str, command))
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(words, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT)
            ended = 0
            while not ended:
                peak = max(peak, _peak(process.pid))
                time.sleep(LOOK_EVERY)
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if status:
                log.seek(0)
                sys.exit(f"{' '.join(words)}\n{log.read()[-3000:]}")
        seconds += usage.ru_utime + usage.ru_stime
    return Cost(seconds, peak, time.perf_counter() - start)


def _peak(process: int) -> float:
    """Megabytes that a process has held at most so far; 0 when it has just ended."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
