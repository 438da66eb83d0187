"""Figures and differences out of items."""

from dataclasses import asdict

import pandas as pd

from lib.evaluation.figures import difference_interval, difference_table, figure_table
from lib.evaluation.items import Item

FIGURE = "answer_ended"


def items(*amounts: float, documents: str = "abcdef") -> pd.DataFrame:
    parts = ["story", "letter"] * 3
    found = [Item(FIGURE, *of, amount) for of, amount in zip(zip(parts, documents, strict=True), amounts, strict=True)]
    return pd.DataFrame([asdict(item) for item in found])


def test_parts_come_after_the_whole() -> None:
    table = figure_table({"base": items(0, 1, 0, 1, 0, 1)})
    assert list(table["part"]) == ["all", "letter", "story"]
    assert list(table["value"]) == [0.5, 1.0, 0.0]
    assert list(table["items"]) == [6, 3, 3]


def test_where_all_are_alike_resampling_shows_nothing() -> None:
    table = figure_table({"base": items(0, 0, 0, 0, 0, 0)})
    assert table["low"].isna().all()


def test_a_difference_that_is_the_same_everywhere_is_one() -> None:
    table = difference_table({"base": items(0, 0, 0, 0, 0, 0), "finetuned": items(1, 1, 1, 1, 1, 1)})
    assert table[["difference", "verdict"]].values.tolist() == [[1.0, "better"]]
    assert table["percent"].isna().all()


def test_every_later_model_is_compared_with_every_earlier_one() -> None:
    measured = {name: items(0, 1, 0, 1, 0, 1) for name in ("base", "pretrained", "finetuned")}
    pairs = difference_table(measured)[["model", "against"]].values.tolist()
    assert pairs == [["pretrained", "base"], ["finetuned", "base"], ["finetuned", "pretrained"]]


def test_different_texts_are_compared_without_pairs() -> None:
    one, other = items(1, 1, 1, 1, 1, 0), items(0, 0, 0, 0, 0, 1, documents="uvwxyz")
    difference = difference_interval(one, other)
    assert round(difference.value, 4) == 0.6667
    assert difference.low < 0.5 < difference.high
