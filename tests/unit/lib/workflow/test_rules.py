"""What rules share."""

from pathlib import Path
from types import SimpleNamespace

from lib.core.fingerprint import code_fingerprint
from lib.workflow.rules import doubling, json_rows, program

SCRIPTS = Path(__file__).parents[4] / "scripts"


def test_a_rule_carries_its_program_and_the_fingerprint_of_it() -> None:
    assert program("clean") == {"program": SCRIPTS / "clean.py", "code": code_fingerprint(SCRIPTS / "clean.py")}


def test_rows_have_the_columns_that_are_asked_for_in_that_order() -> None:
    rows = [SimpleNamespace(name="诗", uri="data/a.jsonl", weight=2), SimpleNamespace(name="b", uri="", weight=1)]
    assert json_rows(rows, "weight", "name") == '[{"weight": 2, "name": "诗"}, {"weight": 1, "name": "b"}]'
    assert json_rows([], "name") == "[]"


def test_every_attempt_asks_for_twice_as_much() -> None:
    memory = doubling(4000)
    assert [memory(None, attempt) for attempt in (1, 2, 3)] == [4000, 8000, 16000]
