"""What was measured on every single text, answer or question: the items that figures are sums of.

A figure over some items is the sum of their amounts over the sum of their sizes: bits over characters of text, right
answers over questions. results/evaluation/items/MODEL.tsv holds them, so that whoever doubts a figure can add it up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import pandas as pd

from lib.core.errors import UserError
from lib.core.outputs import new_file


@dataclass(frozen=True)
class Item:
    """One piece of text, one response, one answer or one question."""

    figure: str
    """The figure that it is a part of, by its name in lib.settings.evaluation."""
    part: str
    """Source of a text, category of a response, subject of a question; "" for none."""
    document: str
    """Items with the same are not independent of one another."""
    amount: float
    size: float = 1.0


COLUMNS = [field.name for field in fields(Item)]


def write_items(path: Path, items: Iterable[Item]) -> None:
    """Write a table with a row for each item, in their order; amounts to 4 decimals."""
    frame = pd.DataFrame([astuple(item) for item in items], columns=COLUMNS)
    with new_file(path) as partial:
        frame.to_csv(partial, sep="\t", index=False, float_format="%.4f")


def read_items(path: Path) -> pd.DataFrame:
    """The table as it was written; UserError when it is not there."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; `make run` makes it")
    texts = {"figure": str, "part": str, "document": str}
    return pd.read_csv(path, sep="\t", dtype=texts, keep_default_na=False)


def same_items(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two models were measured on the same items, in the same order."""
    keys: Sequence[str] = ["figure", "part", "document", "size"]
    return one[keys].reset_index(drop=True).equals(other[keys].reset_index(drop=True))
