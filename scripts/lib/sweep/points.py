"""The points of a sweep: the run's own settings, and those with other values for some keys."""

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lib.core.errors import UserError
from lib.settings.base import StageSettings, known_keys, merged, nearest_name, validate
from lib.settings.pipeline import PipelineSettings
from lib.settings.pretrain import PretrainSettings
from lib.settings.sft import SftSettings
from lib.settings.sweep import Range, SweepSettings
from lib.settings.tokenizer import TokenizerSettings
from lib.settings.training import LoopSettings

SECTIONS: Mapping[str, type[StageSettings]] = {
    "tokenizer": TokenizerSettings,
    "pretrain": PretrainSettings,
    "sft": SftSettings,
}
"""Sections whose keys can vary: what comes before them decides which text is held out."""
FIXED = {
    *("enabled", "uri", "words", "sources", "template", "control_tokens", "continue_adapter"),
    *LoopSettings.model_fields,
}
"""Keys that cannot vary all the same: addresses, which stages there are, and when to log, measure, save and stop."""
SEED = "seed"
"""A key that can vary, too, to show how much is chance. It then reaches training alone."""
DEFAULT = "0"
"""Name of the point with the run's own settings."""

Changes = Mapping[str, Any]
"""Values by dotted key."""


@dataclass(frozen=True)
class Point:
    """Settings to be tried."""

    name: str
    changes: Changes
    settings: PipelineSettings


def read_points(settings: PipelineSettings, given: Mapping[str, Any]) -> list[Point]:
    """The points of the sweep that `settings` describe, the run's own settings first; none when nothing varies.

    `given` are the settings as they are in the files. Points that come to the same are one. Raises UserError when a key
    cannot vary, or has a value that it cannot have.
    """
    sweep = settings.sweep
    changes = [*sweep.points] if sweep.points else list(combinations(sweep))
    if not changes:
        return []
    keys = list(dict.fromkeys(key for one in changes for key in one))
    for key in keys:
        _check_key(key, settings)
    own = {key: value_of(settings, key) for key in keys}
    plain = {key: value for key, value in given.items() if key != "sweep"}
    points = {_digest(own): Point(DEFAULT, own, validate(PipelineSettings, plain))}
    for one in changes:
        values = merged(plain, _nested(one))
        changed = validate(PipelineSettings, values, where=f"settings: sweep: {_shown(one)}")
        found = {key: value_of(changed, key) for key in keys}
        if _digest(found) not in points:
            points[_digest(found)] = Point(str(len(points)), found, changed)
    if len(points) == 1:
        raise UserError("settings: sweep: every point has the values that the run has anyway; give others")
    return list(points.values())


def combinations(sweep: SweepSettings) -> Iterator[Changes]:
    """What `sweep.settings` and `sweep.method` make: every combination of values, or `count` random ones."""
    if not sweep.settings:
        return
    if sweep.method == "grid":
        lists = [values for values in sweep.settings.values() if not isinstance(values, Range)]
        for values in itertools.product(*lists):
            yield dict(zip(sweep.settings, values, strict=True))
        return
    chance = random.Random(sweep.seed)
    for _ in range(sweep.count):
        yield {key: _one_of(values, chance) for key, values in sweep.settings.items()}


def value_of(settings: PipelineSettings, key: str) -> Any:
    """The value of a dotted key, as JSON has it."""
    value: Any = settings.model_dump(mode="json")
    for part in key.split("."):
        value = value[part]
    return value


def as_settings(changes: Changes) -> dict[str, Any]:
    """Changes as a settings file has them, without the seed, which would hold out other texts there."""
    return _nested({key: value for key, value in changes.items() if key != SEED})


def _check_key(key: str, settings: PipelineSettings) -> None:
    where = "settings: sweep"
    if key == SEED:
        return
    variable = [
        f"{section}.{name}" for section, model in SECTIONS.items() for name in model.model_fields if name not in FIXED
    ]
    known = known_keys(PipelineSettings)
    if key not in known:
        raise UserError(f"{where}: unknown key {key}; the nearest known key is {nearest_name(key, known)}")
    if key not in variable:
        raise UserError(
            f"{where}: {key} cannot vary, since all points share the corpus and its held-out text, and their stages; "
            "make a run for each value, and compare them with make compare"
        )
    section, name = key.split(".")
    stage = getattr(settings, section)
    if section in ("pretrain", "sft") and not (settings.trains_stage_1 if section == "pretrain" else stage.enabled):
        raise UserError(f"{where}: {key} has no effect, since the run does not train {section}")
    longer = [other for other in ("max_steps", "minutes") if getattr(stage, other, None)]
    if name == "epochs" and longer:
        raise UserError(f"{where}: {key} has no effect while {section}.{longer[0]} is set; set that to null")


def _one_of(values: list[Any] | Range, chance: random.Random) -> Any:
    if not isinstance(values, Range):
        return chance.choice(values)
    low, high = values.lowest, values.highest
    if values.scale == "log":
        found = math.exp(chance.uniform(math.log(low), math.log(high)))
    else:
        found = chance.uniform(low, high)
    if isinstance(low, int) and isinstance(high, int):
        return min(max(round(found), low), high)
    return float(f"{found:.4g}")


def _nested(changes: Changes) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in changes.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = value
    return nested


def _shown(changes: Changes) -> str:
    return ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in changes.items())


def _digest(changes: Changes) -> str:
    return json.dumps(changes, sort_keys=True)
