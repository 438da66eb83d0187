"""What rules share."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.io import get_wildcard_names

from lib.core.fingerprint import code_fingerprint
from lib.settings.processes import ProcessSettings
from lib.workflow.rules import doubling, json_rows, program, training_resources

SCRIPTS = Path(__file__).parents[4] / "scripts"


def test_a_rule_carries_its_program_and_the_fingerprint_of_it() -> None:
    assert program("clean") == {"program": SCRIPTS / "clean.py", "code": code_fingerprint(SCRIPTS / "clean.py")}


def test_rows_have_the_columns_that_are_asked_for_in_that_order() -> None:
    rows = [SimpleNamespace(name="诗", uri="data/a.jsonl", weight=2), SimpleNamespace(name="b", uri="", weight=1)]
    assert json_rows(rows, "weight", "name") == '[{"weight": 2, "name": "诗"}, {"weight": 1, "name": "b"}]'
    assert json_rows([], "name") == "[]"


@pytest.mark.parametrize("name", ["{x}.txt", "a{1}.txt", "{{x}}", "{ x, [0-9]+}", "\\{x}", '{"a": 1}', "{}"])
def test_names_in_braces_are_no_wildcards(name: str) -> None:
    text = json_rows([SimpleNamespace(uri=name)], "uri")
    assert not get_wildcard_names(text)
    assert json.loads(text) == [{"uri": name}]


def test_every_attempt_asks_for_twice_as_much() -> None:
    memory = doubling(4000)
    assert [memory(None, attempt) for attempt in (1, 2, 3)] == [4000, 8000, 16000]


def test_training_on_several_nodes_starts_its_own_tasks() -> None:
    one, several, cpu = (
        training_resources(ProcessSettings(**values))
        for values in ({"gpu": 2}, {"gpu": 4, "nodes": 2}, {"processes": 3})
    )
    assert (one["gpu"], one["tasks"], one["mem_mb"](None, 1)) == (2, 0, 16_000)
    assert (several["gpu"], several["nodes"], several["tasks"], several["mpi"]) == (8, 2, 2, "srun")
    assert (cpu["gpu"], cpu["tasks"], cpu["mem_mb"](None, 2)) == (0, 1, 48_000)
