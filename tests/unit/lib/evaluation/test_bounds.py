"""Bounds of figures and of their changes against the base model."""

from typing import Any

import pandas as pd
import pytest

from lib.core.errors import UserError
from lib.evaluation.bounds import bound_table
from lib.settings.base import validate
from lib.settings.evaluation import EvaluationSettings

FIGURES = pd.DataFrame(
    [
        ("base", "text_bits_per_character", "all", 9.0),
        ("pretrained", "text_bits_per_character", "all", 7.2),
        ("pretrained", "text_bits_per_character", "novel", 99.0),
        ("finetuned", "text_bits_per_character", "all", 7.5),
        ("finetuned", "answer_chrf", "all", 12.0),
    ],
    columns=["model", "figure", "part", "value"],
)
DIFFERENCES = pd.DataFrame(
    [
        ("finetuned", "base", "text_bits_per_character", -1.5, -16.7),
        ("finetuned", "pretrained", "text_bits_per_character", 0.3, 4.2),
        ("finetuned", "base", "answer_chrf", 2.0, None),
    ],
    columns=["model", "against", "figure", "difference", "percent"],
)


def missed(require: dict[str, Any]) -> list[str]:
    bounds = validate(EvaluationSettings, {"require": require}).require
    table = bound_table(bounds, FIGURES, DIFFERENCES)
    return [row["said"] for _, row in table.iterrows() if not row["met"]]


@pytest.mark.parametrize(
    "require",
    [
        {"text_bits_per_character": {"maximum": 7.5, "minimum": 7.5}},
        {"pretrained:text_bits_per_character": {"maximum": 7.2}},
        {"text_bits_per_character": {"maximum_change": -16}},
        {"answer_chrf": {"minimum_change": 2.0, "minimum": 12}},
    ],
)
def test_bounds_that_are_met(require: dict[str, Any]) -> None:
    assert missed(require) == []


@pytest.mark.parametrize(
    ("require", "said"),
    [
        (
            {"text_bits_per_character": {"maximum": 7.4}},
            "text_bits_per_character of finetuned is 7.5; maximum is 7.4",
        ),
        (
            {"text_bits_per_character": {"maximum_change": -20}},
            "the change of text_bits_per_character of finetuned is -16.7 %; maximum_change is -20 %",
        ),
        (
            {"answer_chrf": {"minimum_change": 5}},
            "the change of answer_chrf of finetuned is 2; minimum_change is 5",
        ),
        (
            {"cloze_accuracy": {"minimum": 0.5}},
            "cloze_accuracy of finetuned was not measured; minimum is 0.5",
        ),
    ],
)
def test_a_bound_that_is_missed_names_figure_value_and_bound(require: dict[str, Any], said: str) -> None:
    assert missed(require) == [said]


@pytest.mark.parametrize(
    ("require", "message"),
    [
        ({"text_bits_per_charakter": {"maximum": 8}}, "the nearest is text_bits_per_character"),
        ({"base2:answer_chrf": {"minimum": 8}}, "base2 is no model; those that are scored are base, extended"),
        ({"answer_chrf": {}}, "give one of minimum, maximum"),
        ({"answer_chrf": {"least": 3}}, "unknown key"),
    ],
)
def test_a_bound_that_is_none_is_told_before_the_run(require: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        validate(EvaluationSettings, {"require": require})


def test_tasks_of_lm_eval_are_figures() -> None:
    name = "lm_eval.ceval-valid_law.acc"
    assert missed({name: {"minimum": 0.1}}) == [f"{name} of finetuned was not measured; minimum is 0.1"]
