"""Training in memory for a few steps."""

from itertools import islice
from pathlib import Path

import pytest

from lib.models.loading import load_model
from lib.settings.training import TrainingSettings
from lib.training.short_run import blocks, train_briefly
from tiny_model import TEXT, make_tiny_model, make_tiny_tokenizer

STEPS = 12


def test_blocks_are_the_texts_in_a_circle() -> None:
    made = blocks(["ab", "cde"], lambda text: [ord(character) for character in text], [0, 1], 4)
    joined = [number for block in islice(made, 7) for number in block]
    assert joined == ([0, 1, *b"ab", 0, 1, *b"cde"] * 4)[:28]


def losses(base: Path, schedule: str = "cosine") -> list[float]:
    """The loss of every step."""
    tokenizer = make_tiny_tokenizer()
    settings = TrainingSettings.model_validate(
        {"rank": 4, "learning_rate": 0.01, "schedule": schedule, "gradient_accumulation": 2}
    )
    found: list[float] = []
    train_briefly(
        load_model(base).requires_grad_(False).eval(),
        blocks(TEXT, lambda text: tokenizer.encode(text), [0], 32),
        STEPS,
        settings,
        [390, 391],
        "fp32",
        1,
        lambda step, loss: found.append(loss),
    )
    return found


@pytest.mark.parametrize("schedule", ["cosine", "warmup_stable_decay"])
def test_loss_falls_and_repeats(tmp_path: Path, schedule: str) -> None:
    make_tiny_model(tmp_path)
    found = losses(tmp_path, schedule)
    assert len(found) == STEPS
    assert sum(found[-3:]) < sum(found[:3])
    assert found == losses(tmp_path, schedule)
