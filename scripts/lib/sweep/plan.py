"""Where each point's stages are made, so that points share with one another and with the run all that does not differ.

A stage's folder is named after a hash of exactly the settings that reach it: `results/sweep/STAGE/HASH`. Where the
run's own settings give the same hash, the stage is the run's own, in `results/STAGE`. With successive halving, which
points train in the next rung is known only when the one before has been scored; its jobs are slots, `rung2_1` and so
on, that look up their point in the file of that decision. So all jobs are known when the plan is made.
"""

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.settings.base import to_json
from lib.settings.evaluation import ScoringSettings
from lib.settings.pipeline import PipelineSettings
from lib.settings.pretrain import PackingSettings, PretrainSettings
from lib.settings.sft import InstructionSettings
from lib.settings.tokenizer import InitializationSettings, VocabularySettings
from lib.settings.training import WITHOUT_EFFECT, TrainingSettings
from lib.sweep.points import DEFAULT, SEED, Point, read_points

FOLDER = "results/sweep"
KEY = r"[0-9a-f]{12}|rung\d+_\d+"
"""What a stage's folder is called: a hash, or a slot."""
SLOT = re.compile(r"rung(\d+)_(\d+)")
TRAINED = {"pretrain_lora": "pretrain", "sft_lora": "sft"}
"""Stages that train, and their sections of the settings."""
MEASUREMENTS = 4
"""Validation losses of a shortened run, after its start."""
RESULT = "evaluation"
PER_RUNG = ("pretrain_lora", "pretrain_model", "sft_lora", RESULT)
"""Stages that a slot makes for itself, where they depend on what varies. All others are the point's own."""

Keys = Mapping[str, str]
"""Hash of each stage of a point."""


@dataclass(frozen=True)
class Variant:
    """A point in one rung: its settings with the steps of that rung."""

    point: Point
    settings: PipelineSettings
    keys: Keys


@dataclass(frozen=True)
class Member:
    """One training and scoring of a rung: of a certain point, or of the one that a slot gets."""

    rung: int
    key: str
    """Hash of the scored result, or name of the slot."""
    point: str | None

    @property
    def items(self) -> str:
        """What was measured on each text."""
        return f"{FOLDER}/{RESULT}/{self.key}.tsv"

    @property
    def scores(self) -> str:
        """Its figures."""
        return f"{FOLDER}/{RESULT}/{self.key}.json"


class Sweep:
    """All points, rungs and folders of a sweep. Without points, there is none, and nothing else may be asked for."""

    def __init__(self, settings: PipelineSettings, given: Mapping[str, Any]) -> None:
        """`given` are the settings as they are in the files. Raises UserError when the sweep cannot be made."""
        self.settings = settings
        self.points = {point.name: point for point in read_points(settings, given)}
        self.rungs = settings.sweep.rungs
        if not self.points:
            return
        if self.model == "finetuned" and not settings.sft.enabled:
            raise UserError(
                "settings: sweep: points are compared by a model that this run does not train; set sft.enabled"
            )
        if self.rungs > 1 and not settings.sweep.minutes:
            for stage in self._shortened:
                if self._steps(self.points[DEFAULT].settings, TRAINED[stage], self.rungs) is None:
                    raise UserError(
                        "settings: sweep.rungs divides up a number of steps; set sweep.max_steps or sweep.minutes"
                    )

    @cached_property
    def own_keys(self) -> Keys:
        """Hashes of the run's own stages."""
        return self._keys(self.points[DEFAULT].settings)

    @cached_property
    def varied(self) -> set[str]:
        """Stages that are not the same for all points."""
        return {
            stage for point in self.points.values() for stage, key in self._keys(point.settings).items()
            if key != self.own_keys[stage]
        }  # fmt: skip

    @cached_property
    def _shortened(self) -> list[str]:
        """Stages that train for the steps of a rung, unless their number of steps is what varies."""
        changed = {key for point in self.points.values() for key in point.changes}
        return [
            stage
            for stage, section in TRAINED.items()
            if stage in self.varied and not changed & {f"{section}.{key}" for key in ("epochs", "max_steps", "minutes")}
        ]

    @cached_property
    def model(self) -> str:
        """The model that is scored, as evaluation calls it: the last one that the metric or what varies is about."""
        changed = {key.split(".")[0] for point in self.points.values() for key in point.changes}
        is_about_stage_2 = self.settings.sweep.metric.startswith("response") or "sft" in changed
        return "finetuned" if is_about_stage_2 or not self.settings.trains_stage_1 else "pretrained"

    @cached_property
    def start_of_stage_2(self) -> list[str]:
        """The stages whose results stage 2 starts from: a model and, where one goes on, an adapter."""
        if self.settings.sft.continue_adapter:
            return ["extended_model", "pretrain_lora"]
        return ["pretrain_model" if self.settings.pretrain.enabled else "extended_model"]

    @cached_property
    def scored(self) -> list[str]:
        """The stages whose results are put together for scoring: a model and what was trained of it."""
        if self.model == "pretrained":
            return ["extended_model", "pretrain_lora"]
        return [self.start_of_stage_2[0], "sft_lora"]

    @cached_property
    def scored_data(self) -> list[str]:
        """The stage whose held-out responses are scored, if they are what points are compared by."""
        return ["sft_data"] if self.settings.sweep.metric.startswith("response") else []

    @cached_property
    def vocabulary(self) -> str:
        """The stage that has the tokenizer."""
        return "tokenizer" if self.settings.pretrain.uri is None else "pretrain_model"

    def variant(self, point: str, rung: int) -> Variant:
        """The point in a rung."""
        if (point, rung) not in self._variants:
            settings = self.points[point].settings
            for stage in self._shortened:
                section, minutes = TRAINED[stage], self.settings.sweep.minutes
                steps = self._steps(settings, section, rung)
                if minutes:
                    settings = _with(settings, section, minutes=minutes * self._share(rung), max_steps=None)
                elif steps not in (None, getattr(settings, section).max_steps):
                    settings = _with_steps(settings, section, steps)
            self._variants[point, rung] = Variant(self.points[point], settings, self._keys(settings))
        return self._variants[point, rung]

    @cached_property
    def _variants(self) -> dict[tuple[str, int], Variant]:
        return {}

    def _steps(self, settings: PipelineSettings, section: str, rung: int) -> int | None:
        """Steps of a stage in a rung; None for as many as its epochs have."""
        whole = self.settings.sweep.max_steps or getattr(settings, section).max_steps
        return None if whole is None else max(1, round(whole * self._share(rung)))

    def _share(self, rung: int) -> float:
        """Share of the last rung's time."""
        return self.settings.sweep.kept ** (self.rungs - rung)

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], Variant]:
        """A variant for every stage and hash; those with the same do not differ in what reaches the stage."""
        found: dict[tuple[str, str], Variant] = {}
        for point in self.points:
            for rung in range(1, self.rungs + 1) if point == DEFAULT else (1,):
                variant = self.variant(point, rung)
                found |= dict.fromkeys(variant.keys.items(), variant)
        return found

    def members(self, rung: int) -> list[Member]:
        """What is trained and scored in a rung, the run's own settings first."""
        own = Member(rung, self.variant(DEFAULT, rung).keys[RESULT], DEFAULT)
        if rung == 1:
            others = [point for point in self.points if point != DEFAULT]
            return [own, *(Member(1, self.variant(point, 1).keys[RESULT], point) for point in others)]
        return [own, *(Member(rung, f"rung{rung}_{slot}", None) for slot in range(1, self.slots(rung) + 1))]

    @property
    def all_rungs(self) -> range:
        return range(1, self.rungs + 1)

    def slots(self, rung: int) -> int:
        """How many points are kept for a rung, the run's own settings aside."""
        return max(1, math.ceil((len(self.points) - 1) * self.settings.sweep.kept ** (rung - 1)))

    def of(self, stage: str, key: str) -> Variant:
        """The variant that a job makes a stage of. For a slot, FileNotFoundError until its rung has been decided."""
        slot = SLOT.fullmatch(key)
        if not slot:
            return self._by_key[stage, key]
        rung, place = map(int, slot.groups())
        names = json.loads(Path(decision(rung)).read_text(encoding="utf-8"))["points"]
        if place > len(names) or names[place - 1] not in self.points:
            # Decided for other settings of the sweep, so it will be decided again.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), decision(rung))
        return self.variant(names[place - 1], rung)

    def path(self, stage: str, key: str, needed: str) -> str:
        """Manifest of the stage `needed` that a job of `stage`, in the folder `key`, reads."""
        return f"{self.folder(stage, key, needed)}/manifest.json"

    def folder(self, stage: str, key: str, needed: str) -> str:
        """Folder of the stage `needed` that a job of `stage`, in the folder `key`, reads."""
        if SLOT.fullmatch(key) and needed in PER_RUNG and needed in self.varied:
            return f"{FOLDER}/{needed}/{key}"
        return self._folder(needed, self.of(stage, key).keys[needed])

    def inputs(self, stage: str, key: str, *needed: str) -> list[str]:
        """What a job of `stage` waits for: for a slot, its decision and what any point may need."""
        slot = SLOT.fullmatch(key)
        if not slot:
            return [self.path(stage, key, one) for one in needed]
        found = [decision(int(slot[1]))]
        for one in needed:
            if one in PER_RUNG and one in self.varied:
                found.append(self.path(stage, key, one))
            else:
                found += [
                    f"{self._folder(one, self.variant(point, 1).keys[one])}/manifest.json" for point in self.points
                ]
        return list(dict.fromkeys(found))

    def instructions(self, stage: str, key: str) -> list[str]:
        """Manifest of the instruction data where `stage` reads them."""
        _, before = _reaching(self.of(stage, key).settings)[stage]
        return [self.path(stage, key, "sft_data")] if "sft_data" in before else []

    def training(self, stage: str, key: str) -> str:
        """Settings of a training stage as its program takes them: what a point is worth shows in its scores."""
        settings = getattr(self.of(stage, key).settings, TRAINED[stage])
        return to_json(settings.model_copy(update={"allow_worse": True}))

    def scoring(self) -> str:
        """Settings of the scoring as its program takes them: only what points are compared by is measured."""
        nothing = {"prompts": [], "answered_instructions": 0, "multiple_choice": None, "cloze_questions": 0}
        changes = {**nothing, "max_characters": self.settings.sweep.max_characters}
        return to_json(self.settings.evaluation.model_copy(update=changes), ScoringSettings)

    def files(self, rung: int) -> list[str]:
        """What is read of a rung: the decision on it, and of each member scores and what was logged in training."""
        found = [decision(rung)] if rung > 1 else []
        for member in self.members(rung):
            found += [member.items, member.scores, *(self.path(RESULT, member.key, stage) for stage in self._logged)]
        return found

    def described(self, rung: int) -> list[str]:
        """The members of a rung as programs take them, JSON each."""
        described = []
        for member in self.members(rung):
            trained = {}
            for stage in self._logged:
                folder, section = self.folder(RESULT, member.key, stage), TRAINED[stage]
                is_own = folder == f"results/{stage}"
                benchmark = f"{section}.tsv" if is_own else f"sweep_{section}/{Path(folder).name}.tsv"
                trained[section] = {"folder": folder, "benchmark": f"benchmarks/{benchmark}"}
            files = {"items": member.items, "scores": member.scores, "trained": trained}
            described.append(json.dumps(asdict(member) | files))
        return described

    @property
    def changes(self) -> str:
        """What points change, by their names, as JSON."""
        return json.dumps({name: point.changes for name, point in self.points.items()}, ensure_ascii=False)

    def candidates(self, rung: int) -> str:
        """JSON: the points that may go on to a rung, and the hash of the result that each would have there."""
        return json.dumps({point: self.variant(point, rung).keys[RESULT] for point in self.points if point != DEFAULT})

    @cached_property
    def _logged(self) -> list[str]:
        """The stages that train what is scored, and differ between points."""
        needed = ("pretrain_lora",) if self.model == "pretrained" else TRAINED
        return [stage for stage in needed if stage in self.varied]

    def _folder(self, stage: str, key: str) -> str:
        return f"results/{stage}" if key == self.own_keys[stage] else f"{FOLDER}/{stage}/{key}"

    def _keys(self, settings: PipelineSettings) -> dict[str, str]:
        """Hash of every stage: of the settings that reach it, and of the hashes of those before it."""
        keys: dict[str, str] = {}
        for stage, (own, before) in _reaching(settings).items():
            keys[stage] = _hash([own, *(keys[one] for one in before)])
        keys[RESULT] = _hash([keys[one] for one in self.scored])
        return keys


def decision(rung: int) -> str:
    """The file that says which points are in the slots of a rung."""
    return f"{FOLDER}/rung{rung}.json"


def _reaching(settings: PipelineSettings) -> dict[str, tuple[str, list[str]]]:
    """For each stage in order, the settings that reach it, as its rule passes them on, and the stages before it."""
    reads_instructions = settings.pretrain.include_instructions or not settings.corpus.enabled
    sft_data = ["sft_data"] if reads_instructions else []
    return {
        "tokenizer": (to_json(settings.tokenizer, VocabularySettings), []),
        "sft_data": (to_json(settings.sft, InstructionSettings), ["tokenizer"]),
        "extended_model": (to_json(settings.tokenizer, InitializationSettings), ["tokenizer", *sft_data]),
        "pretrain_tokens": ("", ["tokenizer"]),
        "pretrain_data": (_packing(settings.pretrain), ["pretrain_tokens", *sft_data]),
        "pretrain_lora": (_shaping(settings.pretrain, settings.seed), ["extended_model", "pretrain_data"]),
        "pretrain_model": ("", ["extended_model", "pretrain_lora"]),
        "sft_lora": (_shaping(settings.sft, settings.seed), ["pretrain_model", "sft_data"]),
    }


def _packing(settings: PretrainSettings) -> str:
    return to_json(settings, PackingSettings) + json.dumps(settings.replay, sort_keys=True)


def _shaping(settings: TrainingSettings, seed: int) -> str:
    values = settings.model_dump(mode="json", exclude=set(WITHOUT_EFFECT)) | {SEED: seed}
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def _with_steps(settings: PipelineSettings, section: str, steps: int) -> PipelineSettings:
    """The settings with as many steps in a section, and with measurements and checkpoints that suit so few."""
    often = math.ceil(steps / MEASUREMENTS)
    stage: TrainingSettings = getattr(settings, section)
    fewer = {"eval_steps": min(stage.eval_steps, often), "save_steps": min(stage.save_steps, often)}
    return _with(settings, section, max_steps=steps, minutes=None, **fewer)


def _with(settings: PipelineSettings, section: str, **changes: Any) -> PipelineSettings:
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=changes)})


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:12]
