"""Whether a model forgot its own language, told from the control text."""

import pandas as pd
import pytest

from lib.evaluation.figures import DIFFERENCE_COLUMNS
from lib.evaluation.forgetting import forgetting


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
