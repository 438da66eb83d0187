"""What the next attempt of a job asks for."""

from typing import Any

import pytest
from snakemake.resources import Resources

from lib.settings.pipeline import ClusterSettings
from lib.workflow import attempts


@pytest.fixture(autouse=True)
def _nothing_has_ended() -> None:
    attempts._ended.clear()


class Rule:
    def __init__(self, **resources: Any) -> None:
        self.resources = Resources.from_mapping(resources)


def asked(rule: Rule, wildcards: dict[str, str], attempt: int = 1) -> dict[str, Any]:
    """What a job of rule `clean` asks for."""
    given: dict[str, Any] = {"input": ["a.txt"], "attempt": attempt, "threads": 1, "rulename": "clean"}
    return {
        name: resource.evaluate(wildcards, **given, async_run=None).value for name, resource in rule.resources.items()
    }


A, B = {"source": "a", "shard": "0"}, {"source": "b", "shard": "0"}


def test_memory_grows_only_after_it_ran_out_and_only_for_that_job() -> None:
    rule = Rule(mem_mb=4000, runtime=60)
    attempts.ask_for_more(rule, ClusterSettings(), [])
    for state in ("TIMEOUT", "FAILED", "CANCELLED", "NODE_FAIL", "PREEMPTED"):
        attempts.note("clean", A, state)
    assert asked(rule, A, attempt=6) == {"mem_mb": 4000, "runtime": 120}
    attempts.note("clean", A, "OUT_OF_MEMORY")
    attempts.note("clean", A, "OUT_OF_MEMORY")
    attempts.note("tokenizer", B, "OUT_OF_MEMORY")
    assert asked(rule, A) == {"mem_mb": 16_000, "runtime": 120}
    assert asked(rule, B) == {"mem_mb": 4000, "runtime": 60}


def test_nothing_grows_past_what_the_cluster_has() -> None:
    rule = Rule(mem_mb=lambda wildcards, input: 1000 * len(input[0]), runtime=60)
    attempts.ask_for_more(rule, ClusterSettings(max_memory=12_000, max_minutes=100), [])
    assert asked(rule, A) == {"mem_mb": 5000, "runtime": 60}
    for _ in range(5):
        attempts.note("clean", A, "OUT_OF_MEMORY")
        attempts.note("clean", A, "TIMEOUT")
    assert asked(rule, A) == {"mem_mb": 12_000, "runtime": 100}


def test_a_first_job_asks_for_no_more_either() -> None:
    rule = Rule(mem_mb=4000, runtime=120)
    attempts.ask_for_more(rule, ClusterSettings(max_minutes=60), [])
    assert asked(rule, A) == {"mem_mb": 4000, "runtime": 60}


def test_what_the_user_gives_for_a_rule_stays() -> None:
    rule = Rule(mem_mb=4000, runtime=2880)
    attempts.ask_for_more(rule, ClusterSettings(max_minutes=60, max_memory=1), ["mem", "runtime"])
    assert asked(rule, A) == {"mem_mb": 4000, "runtime": 2880}
