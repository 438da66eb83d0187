"""What was measured of every point: the members of the rungs, read back for a decision, a table and a picture."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.outputs import read_json
from lib.evaluation.items import COLUMNS, read_items
from lib.report.training import read_log
from lib.sweep.plan import SLOT, decision
from lib.sweep.selection import choosing_value, of_metric


@dataclass(frozen=True)
class Trained:
    """One training of a point."""

    stage: str
    facts: Mapping[str, Any]
    """Its manifest."""
    log: pd.DataFrame
    seconds: float
    """Of the job; after an interruption, of what was left. NaN where the benchmark is not there."""


@dataclass(frozen=True)
class Measured:
    """One point in one rung."""

    rung: int
    point: str
    changes: Mapping[str, Any]
    items: pd.DataFrame
    """Those of the metric; none of a point that failed."""
    scores: Mapping[str, Any]
    trained: list[Trained]
    """Without a training that failed, and those after it."""

    @property
    def failure(self) -> Mapping[str, str]:
        """`name` and `sentence` of what went wrong in training, as `sweep_job` writes them; empty when nothing did."""
        found: Mapping[str, str] = self.scores.get("failure", {})
        return found

    @property
    def chosen_by(self) -> float:
        """The figure that points are compared by; NaN of a point that failed."""
        return math.nan if self.failure else choosing_value(self.items)

    @property
    def seconds(self) -> float:
        return math.nan if self.failure else sum(one.seconds for one in self.trained)

    @property
    def steps(self) -> int | None:
        return None if self.failure else sum(int(one.facts["counts"]["steps"]) for one in self.trained)

    @property
    def verdicts(self) -> str:
        """What the loss curves say, by name."""
        named = {one.stage: one.facts["facts"].get("verdict", {}).get("name", "") for one in self.trained}
        return ", ".join(f"{stage} {name}" if len(named) > 1 else name for stage, name in named.items() if name)


def read_members(described: Iterable[str], points: str, metric: str) -> list[Measured]:
    """The members as `Sweep.described` has them; `points` is the JSON of what points change."""
    changes = json.loads(points)
    found = []
    for text in described:
        member = json.loads(text)
        point = member["point"] or _in_slot(member["key"])
        trained = [one for stage, files in member["trained"].items() if (one := _trained(stage, files))]
        scores = read_json(Path(member["scores"]))
        failed = "failure" in scores
        items = pd.DataFrame(columns=COLUMNS) if failed else of_metric(read_items(Path(member["items"])), metric)
        found.append(Measured(member["rung"], point, changes[point], items, scores, trained))
    return found


def _trained(stage: str, files: Mapping[str, str]) -> Trained | None:
    """A training by its files; None where it failed."""
    folder = Path(files["folder"])
    facts = read_json(folder / "manifest.json")
    if "failure" in facts["facts"]:
        return None
    return Trained(stage, facts, read_log(folder / "trainer_log.tsv"), _seconds(Path(files["benchmark"])))


def _in_slot(key: str) -> str:
    """The point that a slot got."""
    slot = SLOT.fullmatch(key)
    assert slot, key
    point: str = read_json(Path(decision(int(slot[1]))))["points"][int(slot[2]) - 1]
    return point


def _seconds(benchmark: Path) -> float:
    return float(pd.read_csv(benchmark, sep="\t")["s"].iloc[-1]) if benchmark.is_file() else float("nan")
