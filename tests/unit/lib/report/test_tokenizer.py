"""What the report says of new tokens."""

from typing import Any

import pandas as pd

from lib.report.tokenizer import cost_table

SCORES = pd.DataFrame({"model": ["base", "extended", "pretrained"], "text_bits_per_character": [9.1877, 9.3643, 7.58]})
NOTHING: dict[str, Any] = {"scores": None, "context": None, "read_tokens": None, "fit_seconds": None}


def report(new_tokens: int = 250) -> dict[str, Any]:
    row = {"source": "all", "vocabulary": "base", "characters_per_token": 0.5}
    return {"new_tokens": new_tokens, "sources": [row, row | {"vocabulary": "extended", "characters_per_token": 0.75}]}


def test_characters_follow_from_characters_per_token() -> None:
    table = cost_table(report(), scores=SCORES, context=8_192, read_tokens=33_280, fit_seconds=66.47)
    assert table is not None
    assert table.columns[2].title == "with 250 new tokens"
    assert [list(row) for row in table.rows] == [
        ["characters per token of held-out text", "0.500", "0.750"],
        ["context of the model (8,192 tokens), in characters", "4,100", "6,100"],
        ["text that stage 1 reads in its steps (33,280 tokens), in characters", "16,600", "25,000"],
        ["characters written in 100 steps of generation", "50", "75"],
        ["held-out text before training, bits per character", "9.188", "9.364"],
        ["computing time of their first rows", "–", "66 s"],
    ]


def test_what_was_not_measured_is_left_out() -> None:
    table = cost_table(report(), **NOTHING)
    assert table is not None
    assert [row[0] for row in table.rows] == [
        "characters per token of held-out text",
        "characters written in 100 steps of generation",
    ]


def test_without_new_tokens_there_is_no_table() -> None:
    assert cost_table(report(new_tokens=0), **NOTHING) is None
    assert cost_table(report() | {"sources": []}, **NOTHING) is None
