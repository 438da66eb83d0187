"""What the loss curves of a training run say, by name: it overfits, diverged, still improves, or has levelled off.

The validation loss is measured on the same rows every time, so between two measurements only training moves it. The
training loss of a logged line is a mean over the rows since the line before; medians of several lines even it out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, Literal

Name = Literal["diverged", "overfits", "unstable", "never improved", "still improving", "levelled off"]
Point = tuple[int, float]
"""A step and the loss measured there, in nats per token."""

TOLERANCE = 0.01
"""Relative change of a loss from which on it counts. A validation loss is measured on the same rows every time, so what
is left of chance is in the order of training; and 1 % of a loss is hardly worth another run."""
END = 0.5
"""Share of the steps, at the end, over which a run must still have improved to be called so. A learning rate that
decays to zero leaves the last few steps flat in any run, so it takes the second half."""
TAIL = 0.25
"""Share of the logged training losses, at the end, whose median is the final training loss; at least two of them."""


@dataclass(frozen=True)
class Verdict:
    """A name for what a run did, with the figures that it rests on."""

    name: Name
    step: int
    """From this one on; the step with the lowest validation loss for a run that did nothing wrong."""
    sentence: str


def of_history(history: Iterable[Mapping[str, Any]]) -> Verdict:
    """The verdict on what a trainer logged: rows with `step` and, where measured, `loss` and `eval_loss`."""
    rows = list(history)
    training, validation = (
        [(int(row["step"]), float(row[key])) for row in rows if row.get(key) is not None]
        for key in ("loss", "eval_loss")
    )
    return judge(training, validation)


def judge(training: Sequence[Point], validation: Sequence[Point]) -> Verdict:
    """The verdict on a run's losses in the order of steps; the first of `validation` is that before any step.

    - diverged: a loss is not a number; or at the end, both losses are above those at the start.
    - overfits: the validation loss turned and rose while the training loss went on falling.
    - unstable: the validation loss turned and rose, and the training loss did not fall either.
    - never improved: no validation loss is below the one at the start.
    - still improving: the validation loss fell over the second half of the steps.
    - levelled off: none of these.

    Rising, falling, above and below mean by more than TOLERANCE.
    """
    broken = next((step for step, loss in sorted([*training, *validation]) if not math.isfinite(loss)), None)
    if broken is not None:
        return Verdict("diverged", broken, f"diverged at step {broken}: a loss is not a number")
    start, end = validation[0][1], validation[-1][1]
    turn, best = min(validation, key=lambda point: point[1])
    final = _final(training)
    if _is_above(end, start) and training and _is_above(final, min(start, training[0][1])):
        step = next(step for step, _ in _tail_above(validation, start))
        return Verdict(
            "diverged",
            step,
            f"diverged by step {step}: the validation loss is {end:.3f}, above the {start:.3f} before the first step, "
            f"and the training loss is {final:.3f}",
        )
    if _is_above(end, best):
        return _turned(training, validation, turn, best)
    if best >= start:
        return Verdict(
            "never improved", 0, f"never improved: no validation loss is below the {start:.3f} before the first step"
        )
    since, before = [point for point in validation[:-1] if point[0] <= (1 - END) * validation[-1][0]][-1]
    if _is_above(before, end):
        sentence = (
            f"still improving: the validation loss fell by {1 - end / before:.1%} from step {since} to the end; "
            "more steps would lower it further"
        )
        return Verdict("still improving", turn, sentence)
    return Verdict(
        "levelled off",
        turn,
        f"levelled off: the validation loss is {end:.3f}, and has hardly changed since step {since} ({before:.3f})",
    )


def _turned(training: Sequence[Point], validation: Sequence[Point], turn: int, best: float) -> Verdict:
    """The verdict on a run whose validation loss was lowest at the step `turn` and rose from there to the end."""
    end = validation[-1][1]
    rise = f"the validation loss rose from {best:.3f} at step {turn} to {end:.3f} at the end"
    until = [point for point in training if point[0] <= turn]
    later = [point for point in training if point[0] > turn]
    final, then = _final(later), _final(until or later[:1])
    if _is_above(then, final):
        sentence = (
            f"overfits from step {turn}: {rise} while the training loss fell from {then:.3f} to {final:.3f}; the gap "
            f"between them grew from {best - then:.3f} to {end - final:.3f}"
        )
        return Verdict("overfits", turn, sentence)
    return Verdict("unstable", turn, f"unstable from step {turn}: {rise}, and the training loss did not fall either")


def _final(losses: Sequence[Point]) -> float:
    """Median of the last of the losses, the lower of two in the middle; NaN when there are none."""
    last = losses[-max(2, round(TAIL * len(losses))) :]
    return median_low(loss for _, loss in last) if last else math.nan


def _tail_above(losses: Sequence[Point], bound: float) -> list[Point]:
    """The losses at the end that are all above `bound`."""
    first = next((place for place in reversed(range(len(losses))) if losses[place][1] <= bound), -1)
    return list(losses[first + 1 :])


def _is_above(loss: float, other: float) -> bool:
    return loss > other * (1 + TOLERANCE)
