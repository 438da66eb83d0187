"""Whether training made a model forget its own language: what the control text says, by name."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from lib.settings.evaluation import MODELS

CONTROL = "control_bits_per_character"
FORGETS = 1.0
"""Percent of bits per character from which on a change that is sure counts as forgetting. Smaller ones are told with
their interval, and not called so: with enough text, any training is surely a little worse at what it leaves out."""

Name = Literal["forgets", "keeps", "cannot tell"]


@dataclass(frozen=True)
class Forgetting:
    """What is said of one model against the base model."""

    model: str
    name: Name
    sentence: str


def forgetting(differences: pd.DataFrame) -> list[Forgetting]:
    """A verdict on every model that was trained; `differences` is the table of `difference_table`.

    A model forgets when the change is at least `FORGETS` percent and its interval is above 0. It keeps its language
    when the change is smaller, and its interval shows that: it ends below `FORGETS` percent, or is that of a small
    change above 0. Otherwise it cannot be told, and without an interval nothing is said.
    """
    found = []
    rows = differences[(differences["against"] == "base") & (differences["figure"] == CONTROL)]
    for row in rows[rows["model"].isin(["pretrained", "finetuned"])].to_dict("records"):
        change, low, high = (float(row[f"percent{bound}"]) for bound in ("", "_low", "_high"))
        if pd.isna(low):
            continue
        name: Name = "cannot tell"
        if change >= FORGETS and low > 0:
            name = "forgets"
        elif change < FORGETS and (high < FORGETS or low > 0):
            name = "keeps"
        what = {
            "forgets": "the model forgets its own language",
            "keeps": "the model keeps its own language",
            "cannot tell": "the control text cannot tell whether the model forgets its own language",
        }[name]
        figures = f"{change:+.1f} % bits per character of control text, 95 % interval [{low:+.1f}, {high:+.1f}]"
        found.append(Forgetting(str(row["model"]), name, f"{MODELS[row['model']]}, {what} ({figures})"))
    return found
