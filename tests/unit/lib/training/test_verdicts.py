"""Verdicts on loss curves: each kind of run is called by its name."""

import math
from dataclasses import asdict

import pytest

from lib.training.verdicts import judge, of_history


def curve(*losses: float, every: int = 10, first: int = 0) -> list[tuple[int, float]]:
    """Losses at every tenth step."""
    return [(first + every * number, loss) for number, loss in enumerate(losses)]


def logged(*losses: float) -> list[tuple[int, float]]:
    return curve(*losses, first=10)


@pytest.mark.parametrize(
    ("name", "step", "training", "validation"),
    [
        # The validation loss turns at step 20, the training loss does not.
        ("overfits", 20, logged(3.0, 2.5, 1.5, 0.5), curve(4.0, 3.2, 3.0, 3.3, 3.9)),
        # Ends above its start, and overfits all the same: it has learned its training text.
        ("overfits", 20, logged(3.0, 2.5, 1.5, 0.1), curve(4.0, 3.2, 3.0, 3.9, 5.5)),
        # From the first measurement on.
        ("overfits", 0, logged(3.0, 2.0, 1.0, 0.2), curve(4.0, 4.2, 4.6, 5.0, 5.5)),
        ("diverged", 10, logged(9.0, 8.0, 7.5, 7.0), curve(4.0, 9.0, 8.0, 7.5, 7.0)),
        # Learned at first; the last measurements count.
        ("diverged", 30, logged(3.5, 3.0, 6.0, 7.0), curve(4.0, 3.5, 3.1, 6.0, 7.0)),
        ("diverged", 20, logged(3.5, math.nan), curve(4.0, 3.5)),
        ("diverged", 10, logged(3.5), curve(4.0, math.inf)),
        # Training text that is easier than held-out text by itself: the training loss rose from its own start.
        ("diverged", 20, logged(2.0, 2.4, 2.8, 3.5), curve(4.0, 3.9, 4.2, 4.5, 5.0)),
        ("unstable", 20, logged(3.5, 3.0, 3.3, 3.6), curve(4.0, 3.5, 3.0, 3.3, 3.6)),
        ("never improved", 0, logged(4.0, 4.0), curve(4.0, 4.0, 4.0)),
        ("never improved", 0, logged(4.0, 4.0), curve(4.0, 4.02, 4.01)),
        ("still improving", 40, logged(3.5, 3.2, 3.0, 2.8), curve(4.0, 3.6, 3.4, 3.2, 3.1)),
        ("still improving", 10, logged(3.5), curve(4.0, 3.6)),
        ("levelled off", 40, logged(3.5, 3.2, 3.1, 3.1), curve(4.0, 3.4, 3.32, 3.31, 3.3)),
        # A rise of less than 1 % is no turn.
        ("levelled off", 30, logged(3.5, 3.2, 3.1, 2.9), curve(4.0, 3.4, 3.31, 3.30, 3.32)),
    ],
)
def test_curves_are_called_by_name(
    name: str, step: int, training: list[tuple[int, float]], validation: list[tuple[int, float]]
) -> None:
    verdict = judge(training, validation)
    assert (verdict.name, verdict.step) == (name, step)
    assert verdict.sentence.startswith(name)


def test_overfitting_is_told_with_the_gap_and_its_turn() -> None:
    verdict = judge(logged(3.0, 2.5, 1.5, 0.5), curve(4.0, 3.2, 3.0, 3.3, 3.9))
    assert verdict.sentence == (
        "overfits from step 20: the validation loss rose from 3.000 at step 20 to 3.900 at the end while the training "
        "loss fell from 2.500 to 0.500; the gap between them grew from 0.500 to 3.400"
    )


def test_a_single_noisy_batch_at_the_end_decides_nothing() -> None:
    steady = [3.4, 3.3, 3.2, 3.1, 3.0, 2.9, 2.8, 2.7]
    validation = curve(4.0, 3.8, 3.6, 3.4, 3.2, 3.3, 3.5, 3.8, 4.5)
    assert judge(logged(*steady[:-1], 9.0), validation).name == "overfits"
    assert judge(logged(*steady[:-2], 9.0, 9.0), validation).name == "diverged"


def test_what_a_trainer_logged_is_judged() -> None:
    history = [
        {"step": 0, "eval_loss": 4.0},
        {"step": 10, "loss": 3.5, "learning_rate": 0.1},
        {"step": 10, "eval_loss": 3.5},
        {"step": 10, "train_runtime": 3.0},
    ]
    assert asdict(of_history(history)) == {
        "name": "still improving",
        "step": 10,
        "sentence": "still improving: the validation loss fell by 12.5% from step 0 to the end; more steps would lower "
        "it further",
    }
