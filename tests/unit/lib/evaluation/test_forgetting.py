"""Whether a model forgot its own language, told from the control text."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.core.manifest import write_manifest
from lib.evaluation.figures import DIFFERENCE_COLUMNS, difference_interval, difference_table
from lib.evaluation.forgetting import forgetting
from lib.evaluation.items import Item
from lib.evaluation.scoring import TokenSequence, negative_log_likelihoods
from lib.models.loading import load_model
from lib.settings.training import TrainingSettings
from lib.tokens.token_files import TokenWriter, read_tokens
from lib.training.run import Run
from lib.training.train import train
from tiny_model import make_tiny_model


def differences(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    """Rows of model, figure, and change in percent with its bounds, against the base model."""
    names = ["model", "figure", "percent", "percent_low", "percent_high"]
    frame = pd.DataFrame(rows, columns=names).assign(against="base")
    return frame.reindex(columns=DIFFERENCE_COLUMNS)


@pytest.mark.parametrize(
    ("change", "low", "high", "name"),
    [
        (8.0, 5.0, 11.0, "forgets"),
        (1.0, 0.1, 1.9, "forgets"),
        (0.4, 0.1, 0.7, "keeps"),
        (-0.5, -1.0, 0.5, "keeps"),
        (0.9, 0.2, 1.6, "keeps"),
        (2.0, -1.0, 5.0, "cannot tell"),
        (0.5, -1.0, 2.0, "cannot tell"),
    ],
)
def test_a_change_is_called_by_name(change: float, low: float, high: float, name: str) -> None:
    (found,) = forgetting(differences(("finetuned", "control_bits_per_character", change, low, high)))
    assert (found.model, found.name) == ("finetuned", name)


def test_the_sentence_has_the_change_and_its_interval() -> None:
    rows = [
        ("extended", "control_bits_per_character", 5.0, 4.0, 6.0),
        ("pretrained", "control_bits_per_character", 8.25, 5.0, 11.04),
        ("finetuned", "text_bits_per_character", 9.0, 8.0, 10.0),
        ("finetuned", "control_bits_per_character", 9.0, float("nan"), float("nan")),
    ]
    assert [one.sentence for one in forgetting(differences(*rows))] == [
        "after pretraining, the model forgets its own language (+8.2 % bits per character of control text, "
        "95 % interval [+5.0, +11.0])"
    ]


def counting(rows: int, step: int, length: int = 24) -> list[list[int]]:
    """Rows that count round a circle of tokens, with slips: a language of its own for each `step`."""
    slips = np.random.default_rng(step)
    return [
        [3 + (row + step * place + int(slips.integers(40) * (slips.random() < 0.3))) % 40 for place in range(length)]
        for row in range(rows)
    ]


def trained(directory: Path, start: Path, rows: list[list[int]], seed: int = 1, **settings: object) -> Path:
    """The directory of the model that training on `rows` makes of the one in `start`; some of them are held out."""
    for split, some in (("train", rows[::2]), ("validation", rows[1::2])):
        directory.mkdir(exist_ok=True)
        with TokenWriter(directory / f"{split}.arrow", ["input_ids"]) as writer:
            for ids in some:
                writer.add(input_ids=ids)
    write_manifest(directory, inputs={}, counts={})
    steps = {"max_steps": 60, "eval_steps": 30, "save_steps": 30, "batch_size": 4, "precision": "fp32"}
    run = Run(
        stage="pretrain",
        settings=TrainingSettings.model_validate({**steps, "method": "full", "learning_rate": 5e-3, **settings}),
        seed=seed,
        gpu=0,
        model=start / "manifest.json",
        data=directory / "manifest.json",
        work=directory / "work",
        output=directory / "model" / "manifest.json",
    )
    train(run, *(read_tokens(directory / f"{split}.arrow") for split in ("train", "validation")), by_length=False)
    return directory / "model"


def measured(model: Path, rows: list[list[int]]) -> pd.DataFrame:
    """What scoring the control text `rows` gives, a row being a document."""
    nats = negative_log_likelihoods(load_model(model), [TokenSequence(ids, 1) for ids in rows])
    found = [
        Item("control_bits_per_character", "", str(number), value / math.log(2), len(rows[number]))
        for number, value in enumerate(nats)
    ]
    return pd.DataFrame(found)


def test_runs_are_called_by_name(tmp_path: Path) -> None:
    """For real: a model that has learned to count by one forgets it while it learns to count by three."""
    make_tiny_model(tmp_path / "untrained")
    write_manifest(tmp_path / "untrained", inputs={}, counts={})
    own, other = counting(80, 1), counting(80, 3)
    base = trained(tmp_path / "base", tmp_path / "untrained", own)
    scores = {
        "base": measured(base, own),
        "pretrained": measured(trained(tmp_path / "other", base, other), own),
        "finetuned": measured(trained(tmp_path / "same", base, own, learning_rate=1e-4, allow_worse=True), own),
    }
    names = [(one.model, one.name) for one in forgetting(difference_table(scores))]
    assert names == [("pretrained", "forgets"), ("finetuned", "keeps")]

    seeds = [measured(trained(tmp_path / f"seed {seed}", base, other, seed), other) for seed in (1, 2)]
    assert difference_interval(*seeds).verdict("lower") == "cannot tell"
