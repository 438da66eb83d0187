"""Which points there are: grids, random ones, lists; keys and values that cannot be are named."""

from typing import Any

import pytest

from lib.core.errors import UserError
from lib.settings.base import merged, validate
from lib.settings.pipeline import PipelineSettings
from lib.sweep.points import DEFAULT, Point, as_settings, read_points

GIVEN: dict[str, Any] = {"base_model": {"uri": "data/model"}, "pretrain": {"rank": 16, "learning_rate": 2e-4}}


def points(sweep: dict[str, Any], **sections: Any) -> list[Point]:
    given = merged(GIVEN, {**sections, "sweep": sweep})
    return read_points(validate(PipelineSettings, given), given)


def test_a_grid_has_every_combination_and_the_runs_own_settings_once() -> None:
    found = points({"settings": {"pretrain.learning_rate": [1e-4, 2e-4], "pretrain.rank": [8, 16, 32]}})
    assert [(point.name, *point.changes.values()) for point in found] == [
        (DEFAULT, 2e-4, 16),
        ("1", 1e-4, 8),
        ("2", 1e-4, 16),
        ("3", 1e-4, 32),
        ("4", 2e-4, 8),
        ("5", 2e-4, 32),
    ]
    for point in found:
        assert point.settings.pretrain.rank == point.changes["pretrain.rank"]
        assert point.settings.pretrain.learning_rate == point.changes["pretrain.learning_rate"]
        assert not point.settings.sweep.settings


def test_random_points_repeat_with_their_seed_and_stay_within_bounds() -> None:
    settings = {
        "pretrain.learning_rate": {"lowest": 1e-4, "highest": 1e-2, "scale": "log"},
        "pretrain.rank": {"lowest": 4, "highest": 64},
        "tokenizer.new_tokens": [0, 500],
    }
    sweep = {"settings": settings, "method": "random", "count": 30, "seed": 3}
    found = points(sweep)[1:]
    assert [one.changes for one in points(sweep)[1:]] == [one.changes for one in found]
    assert [one.changes for one in points(sweep | {"seed": 4})[1:]] != [one.changes for one in found]
    assert len(found) == 30
    rates = [point.changes["pretrain.learning_rate"] for point in found]
    assert 1e-4 <= min(rates) < max(rates) <= 1e-2
    assert sum(rate < 1e-3 for rate in rates) in range(8, 23)  # half of them, by the logarithm
    assert all(isinstance(point.changes["pretrain.rank"], int) for point in found)
    assert {point.changes["tokenizer.new_tokens"] for point in found} == {0, 500}


def test_points_may_be_listed_and_change_different_keys() -> None:
    found = points({"points": [{"pretrain.rank": 8}, {"sft.epochs": 3}, {"pretrain.rank": 16}]})
    assert [point.changes for point in found] == [
        {"pretrain.rank": 16, "sft.epochs": 1.0},
        {"pretrain.rank": 8, "sft.epochs": 1.0},
        {"pretrain.rank": 16, "sft.epochs": 3.0},
    ]


def test_the_seed_may_vary_and_is_no_setting_to_be_taken_over() -> None:
    found = points({"points": [{"seed": 2, "pretrain.rank": 8}]})
    assert (found[1].settings.seed, found[1].settings.pretrain.rank) == (2, 8)
    assert as_settings(found[1].changes) == {"pretrain": {"rank": 8}}


def test_a_run_without_a_sweep_has_no_points() -> None:
    assert points({}) == []


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"settings": {"pretrain.learning_rat": [1]}}, "unknown key pretrain.learning_rat; .* pretrain.learning_rate$"),
        ({"points": [{"rank": 8}]}, "unknown key rank; the nearest known key is"),
        (
            {"settings": {"pretrain.rank": [0, 8]}},
            "sweep: pretrain.rank: 0: pretrain.rank is 0: Input should be greater",
        ),
        ({"settings": {"sft.template": ["chatml"]}}, "sft.template cannot vary"),
        ({"settings": {"corpus.minimum_length": [5]}}, "corpus.minimum_length cannot vary, since all points share the"),
        ({"settings": {"gpu": [0, 1]}}, "gpu cannot vary"),
        ({"settings": {"pretrain.eval_steps": [1, 2]}}, "pretrain.eval_steps cannot vary"),
        ({"settings": {"pretrain.rank": [16]}}, "every point has the values that the run has anyway"),
    ],
)
def test_what_cannot_vary_is_named(sweep: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        points(sweep)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("settings: sweep")


def test_a_key_without_effect_is_named() -> None:
    with pytest.raises(UserError, match=r"sft\.epochs has no effect while sft\.max_steps is set"):
        points({"settings": {"sft.epochs": [1, 2]}}, sft={"max_steps": 10})
    with pytest.raises(UserError, match=r"sft\.rank has no effect, since the run does not train sft"):
        points({"settings": {"sft.rank": [1, 2]}}, sft={"enabled": False})
