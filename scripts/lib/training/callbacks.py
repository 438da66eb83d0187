"""What happens beside the training steps: a line of progress, and when to save and to stop."""

import math
import signal
import time
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lib.core.parent import Parent
from lib.core.program import say
from lib.distributed.processes import highest


class Progress(TrainerCallback):
    """One line per logging step and per evaluation, readable live and in the log."""

    def __init__(self, stage: str, tokens_per_step: float) -> None:
        self.stage = stage
        self.tokens_per_step = tokens_per_step
        self.first_step = 0
        self.started = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.first_step, self.started = state.global_step, time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        logs = logs or {}
        position = f"{self.stage}: step {state.global_step:>{len(str(state.max_steps))}}/{state.max_steps}"
        if "eval_loss" in logs:
            say(f"{position}  validation loss {logs['eval_loss']:.4f}")
        if "loss" not in logs:
            return
        seconds = (time.monotonic() - self.started) / max(state.global_step - self.first_step, 1)
        say(
            f"{position}  loss {logs['loss']:.4f}  learning rate {logs['learning_rate']:.2e}  "
            f"{self.tokens_per_step / seconds:,.0f} tokens/s  "
            f"{_duration(seconds * (state.max_steps - state.global_step))} left"
        )


class KeepBest(TrainerCallback):
    """Saves a checkpoint when the validation loss is the lowest since the start, and stops when it no longer falls."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        _, *losses = validation_losses(state)  # of the start there is nothing to save
        if losses and losses[-1] < min(losses[:-1], default=math.inf):
            control.should_save = True
        if no_longer_falls(state, self.patience):
            control.should_save = True
            control.should_training_stop = True
        return control


def validation_losses(state: TrainerState) -> list[float]:
    """All validation losses measured so far, in order; the first is that of the start, before any step."""
    return [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]


def no_longer_falls(state: TrainerState, patience: int | None) -> bool:
    """Whether the last `patience` validation losses are no lower than one before. Nothing but the log is looked at."""
    losses = validation_losses(state)
    return patience is not None and bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


def is_worse_than_start(state: TrainerState) -> bool:
    """Whether no step that was measured has a lower validation loss than the start."""
    return min(validation_losses(state)[1:], default=math.inf) >= validation_losses(state)[0]


def best_and_start(state: TrainerState) -> str:
    """The validation loss at the start and at the best step so far, in words."""
    start = f"{validation_losses(state)[0]:.4f} at the start"
    if state.best_metric is None:
        return start
    return f"{start}, {state.best_metric:.4f} at best (step {state.best_global_step})"


class StopOnRequest(TrainerCallback):
    """Saves a checkpoint and stops after SIGTERM, SIGINT or `max_minutes`, or when Snakemake has gone.

    All processes stop as soon as one has reason to.
    """

    REASONS = ("", "max_minutes", "the end of Snakemake", "SIGINT", "SIGTERM")

    def __init__(self, max_minutes: float | None) -> None:
        self.deadline = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes
        self.reason = ""
        self.parent = Parent()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.reason = signal.Signals(number).name

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if not self.reason and time.monotonic() > self.deadline:
            self.reason = "max_minutes"
        if not self.reason and self.parent.has_gone():
            self.reason = "the end of Snakemake"
        self.reason = self.REASONS[highest(self.REASONS.index(self.reason))]
        if self.reason and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True
        return control


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
