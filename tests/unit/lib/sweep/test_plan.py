"""Where stages of points are made: what does not differ is shared, with other points and with the run."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import UserError
from lib.settings.base import merged, validate
from lib.settings.pipeline import PipelineSettings
from lib.sweep.plan import Sweep

GIVEN: dict[str, Any] = {"base_model": {"uri": "data/model"}, "pretrain": {"max_steps": 100, "eval_steps": 50}}
RATES = {"pretrain.learning_rate": [1e-3, 2e-4]}


def sweep(settings: dict[str, Any], given: dict[str, Any] | None = None, **options: Any) -> Sweep:
    values = merged(GIVEN | (given or {}), {"sweep": {"settings": settings, **options}})
    return Sweep(validate(PipelineSettings, values), values)


def result(of: Sweep, point: str) -> str:
    """What the scored result of a point is called."""
    return next(member.key for member in of.members(1) if member.point == point)


def test_stages_before_what_varies_are_the_runs_own() -> None:
    found = sweep(RATES)
    key = result(found, "1")
    assert found.path("evaluation", key, "extended_model") == "results/extended_model/manifest.json"
    assert found.path("evaluation", key, "pretrain_lora").startswith("results/sweep/pretrain_lora/")
    trained = found.variant("1", 1).keys["pretrain_lora"]
    assert found.path("pretrain_lora", trained, "pretrain_data") == "results/pretrain_data/manifest.json"
    assert json.loads(found.training("pretrain_lora", trained))["learning_rate"] == 1e-3
    # Not shortened, so that it is what the run trains anyway.
    assert found.path("evaluation", result(found, "0"), "pretrain_lora") == "results/pretrain_lora/manifest.json"


def test_points_share_what_does_not_differ_between_them() -> None:
    found = sweep({"tokenizer.new_tokens": [0, 50], **RATES})
    folders = {
        stage: {found.path("evaluation", member.key, stage) for member in found.members(1)}
        for stage in ("tokenizer", "extended_model", "pretrain_lora")
    }
    # Two vocabularies and the run's own; with each, two rates, one of which is the run's.
    assert {stage: len(paths) for stage, paths in folders.items()} == {
        "tokenizer": 3,
        "extended_model": 3,
        "pretrain_lora": 5,
    }
    assert "results/tokenizer/manifest.json" in folders["tokenizer"]


def test_a_seed_reaches_training_alone() -> None:
    found = sweep({"seed": [1, 2]})
    assert found.varied == {"pretrain_lora", "pretrain_model", "sft_lora", "evaluation"}
    assert found.of("pretrain_lora", found.variant("1", 1).keys["pretrain_lora"]).settings.seed == 2


def test_a_shortened_stage_is_measured_often_enough() -> None:
    found = sweep(RATES, max_steps=30)
    trained = found.variant("0", 1).keys["pretrain_lora"]
    assert found.path("evaluation", result(found, "0"), "pretrain_lora") != "results/pretrain_lora/manifest.json"
    settings = json.loads(found.training("pretrain_lora", trained))
    assert {key: settings[key] for key in ("max_steps", "eval_steps", "save_steps", "allow_worse")} == {
        "max_steps": 30,
        "eval_steps": 8,
        "save_steps": 8,
        "allow_worse": True,
    }


def test_stages_that_do_not_vary_are_not_shortened() -> None:
    found = sweep({"sft.learning_rate": [1e-3]}, max_steps=30, metric="response_bits_per_character")
    key = result(found, "1")
    assert found.model == "finetuned"
    assert found.path("evaluation", key, "pretrain_model") == "results/pretrain_model/manifest.json"
    assert found.variant("1", 1).settings.sft.max_steps == 30
    assert found.variant("1", 1).settings.pretrain.max_steps == 100


def test_a_number_of_steps_that_varies_is_left_alone() -> None:
    found = sweep({"sft.epochs": [1, 3], "sft.rank": [8]}, max_steps=30)
    assert {found.variant(point, 1).settings.sft.max_steps for point in found.points} == {None}


def test_every_rung_has_more_steps_and_fewer_points() -> None:
    found = sweep({"pretrain.rank": [2, 4, 8, 32, 64, 128, 256, 512]}, max_steps=80, rungs=3)
    assert [len(found.members(rung)) - 1 for rung in found.all_rungs] == [8, 4, 2]
    assert [found.variant("0", rung).settings.pretrain.max_steps for rung in found.all_rungs] == [20, 40, 80]
    assert [member.key for member in found.members(3)[1:]] == ["rung3_1", "rung3_2"]


def test_steps_take_the_place_of_a_time() -> None:
    found = sweep(RATES, {"pretrain": {"minutes": 5}}, max_steps=30)
    settings = found.variant("1", 1).settings.pretrain
    assert (settings.max_steps, settings.minutes) == (30, None)


def test_a_time_is_divided_up_like_steps() -> None:
    found = sweep(RATES, minutes=8, rungs=3)
    settings = [found.variant("1", rung).settings.pretrain for rung in found.all_rungs]
    assert [(one.minutes, one.max_steps) for one in settings] == [(2, None), (4, None), (8, None)]


def test_a_slot_looks_up_its_point_when_that_is_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = sweep({"tokenizer.new_tokens": [0, 50, 100, 150]}, max_steps=80, rungs=2)
    inputs = found.inputs("pretrain_lora", "rung2_2", "extended_model", "pretrain_data")
    # Whichever point it will be, its vocabulary is there.
    assert inputs[0] == "results/sweep/rung2.json"
    assert len(inputs) == 1 + 2 * len(found.points)
    with pytest.raises(FileNotFoundError) as error:
        found.training("pretrain_lora", "rung2_2")
    assert error.value.filename == inputs[0]

    (tmp_path / "results" / "sweep").mkdir(parents=True)
    (tmp_path / inputs[0]).write_text(json.dumps({"points": ["1", "3"]}))
    model = found.path("pretrain_lora", "rung2_2", "extended_model")
    assert model == found.path("evaluation", result(found, "3"), "extended_model")
    assert model in inputs
    assert json.loads(found.training("pretrain_lora", "rung2_2"))["max_steps"] == 80
    assert found.path("evaluation", "rung2_2", "pretrain_lora") == "results/sweep/pretrain_lora/rung2_2/manifest.json"
    # Of a sweep with fewer or other points; it will be decided again.
    for names in (["1"], ["1", "9"]):
        (tmp_path / inputs[0]).write_text(json.dumps({"points": names}))
        with pytest.raises(FileNotFoundError):
            found.training("pretrain_lora", "rung2_2")


def test_what_a_sweep_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"sweep\.rungs divides up a number of steps; set sweep\.max_steps"):
        sweep(RATES, {"pretrain": {}}, rungs=2)
    with pytest.raises(UserError, match=r"set sft\.enabled"):
        sweep(RATES, {"sft": {"enabled": False}}, metric="response_bits_per_character")
