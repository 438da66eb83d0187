"""What the next attempt of a job asks for: more memory after it ran out, more time after a timeout, else the same."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from lib.settings.pipeline import ClusterSettings

OUT_OF_MEMORY = "OUT_OF_MEMORY"
TIMEOUT = "TIMEOUT"

_ended: Counter[tuple[str, frozenset[tuple[str, str]], str]] = Counter()


def note(rule: str, wildcards: Mapping[str, str], state: str) -> None:
    """Remember, for as long as this process lives, that a job of `rule` ended in `state`, in SLURM's words."""
    _ended[rule, frozenset(wildcards.items()), state] += 1


def ask_for_more(rule: Any, cluster: ClusterSettings, given: Iterable[str]) -> None:
    """Have jobs of a rule ask for twice the memory or time after each attempt that had too little, up to a limit.

    Snakemake's own count of attempts does not know why one failed. Resources that the user has `given` for this rule
    (--set-resources) stay as they are.
    """
    given = {re.sub("^mem(_mib)?$", "mem_mb", name) for name in given}  # Snakemake's name, whatever the user's unit
    limits = {"mem_mb": (OUT_OF_MEMORY, cluster.max_memory), "runtime": (TIMEOUT, cluster.max_minutes)}
    for name, (state, maximum) in limits.items():
        if name in rule.resources and name not in given:
            rule.resources[name] = _growing(rule.resources[name], state, maximum)


def _growing(resource: Any, state: str, maximum: int | None) -> Any:
    def asked(wildcards: Any, input: Any, attempt: int, threads: int, rulename: str, async_run: Any) -> Any:
        value = resource.evaluate(
            wildcards, input=input, attempt=attempt, threads=threads, rulename=rulename, async_run=async_run
        ).value
        if not isinstance(value, int):  # not known before the inputs are there
            return value
        wanted = value * 2 ** _ended[rulename, frozenset(wildcards.items()), state]
        return wanted if maximum is None else min(wanted, maximum)

    return asked
