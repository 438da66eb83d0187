"""The labelled set in tests/unit/data/cleaning_cases.jsonl, written by hand.

Each case has a raw text and either the text that the steps should leave (`clean`), or `kept`: no rule drops it, or
`dropped_by`: the rule that should. Cases for rules are judged with the default settings, others by the steps alone.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lib.corpus.cleaning.clean import clean, clean_texts
from lib.settings.corpus import CleaningSettings

PATH = Path(__file__).parents[3] / "data" / "cleaning_cases.jsonl"
CASES = [json.loads(line) for line in PATH.read_text(encoding="utf-8").strip().split("\n")]


def settings_of(case: dict[str, Any]) -> CleaningSettings:
    return CleaningSettings.model_validate(case.get("settings", {}))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    settings = settings_of(case)
    if "clean" in case:
        assert clean_texts([case["raw"]], settings) == [case["clean"]]
        return
    cleaned = clean(pl.DataFrame({"id": ["case"], "text": [case["raw"]]}), settings)
    assert cleaned.dropped["rule"].to_list() == ([] if case.get("kept") else [case["dropped_by"]])


def test_cleaning_a_case_twice_changes_nothing_more() -> None:
    for case in CASES:
        once = clean_texts([case["raw"]], settings_of(case))
        assert clean_texts(once, settings_of(case)) == once, case["name"]


def test_there_are_enough_cases_with_names_of_their_own() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 120
