"""How a training that goes on is doing, by the lines of its log: losses so far, its step, the time that is left."""

import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

# As `lib.training.callbacks` and `lib.training.train` write them.
_LINE = re.compile(
    r"(?:pretrain|sft): step +(?P<step>\d+)/(?P<steps>\d+)  "
    r"(?:validation loss (?P<eval_loss>\S+)|loss (?P<loss>\S+)  .* tokens/s  (?P<left>[\d.]+) (?P<unit>s|min|h) left)"
)
_RESUMED = re.compile(r"(?:pretrain|sft): going on from (?P<checkpoint>.+)")
_SECONDS = {"s": 1, "min": 60, "h": 3600}
COLUMNS = ["step", "loss", "eval_loss"]


@dataclass(frozen=True)
class LiveTraining:
    """What a log says of a training."""

    log: pd.DataFrame
    """Columns as in `lib.report.training.read_log`."""
    step: int
    steps: int
    """0 before the first line about a step."""
    seconds_left: float | None
    """None before the first step has been timed."""


def read_live(log: Path, folder: Path) -> LiveTraining:
    """The training that writes `log`; paths in the log count from `folder`, the run's.

    Of a training that was interrupted, what the log no longer has is read from its newest checkpoint. The last line
    counts when it is whole. What cannot be read is as if it were not there yet.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
        seconds_ago = time.time() - log.stat().st_mtime
    except OSError:
        text, seconds_ago = "", 0.0
    rows: dict[tuple[int, str], float] = {}
    step = steps = 0
    left = None
    for line in text[: text.rfind("\n") + 1].splitlines():
        if resumed := _RESUMED.fullmatch(line):
            rows |= _rows_of_checkpoints(folder / resumed["checkpoint"])
        elif found := _LINE.fullmatch(line):
            step, steps = int(found["step"]), int(found["steps"])
            name = "loss" if found["loss"] else "eval_loss"
            rows[step, name] = float(found[name])
            if found["left"]:
                left = float(found["left"]) * _SECONDS[found["unit"]]
    measured = [{"step": at, name: value} for (at, name), value in sorted(rows.items()) if math.isfinite(value)]
    frame = pd.DataFrame(measured, columns=COLUMNS).astype({"loss": float, "eval_loss": float})
    return LiveTraining(frame, step, steps, None if left is None else max(0.0, left - seconds_ago))


def _rows_of_checkpoints(checkpoint: Path) -> dict[tuple[int, str], float]:
    """What was logged up to `checkpoint`, by it or a newer one: the training may have removed it since."""
    limit = int(checkpoint.name.rpartition("-")[2])
    for path in sorted(checkpoint.parent.glob("checkpoint-*/trainer_state.json"), reverse=True):
        try:
            history = json.loads(path.read_text(encoding="utf-8"))["log_history"]
        except (OSError, ValueError, KeyError):
            continue
        return {
            (entry["step"], name): entry[name]
            for entry in history
            for name in ("loss", "eval_loss")
            if name in entry and entry["step"] <= limit
        }
    return {}


def last_line(log: Path) -> str:
    """The last whole line of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")[:-1]
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
