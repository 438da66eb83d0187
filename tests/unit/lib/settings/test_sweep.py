"""Settings of experiments: what cannot be meant ends in one line."""

from typing import Any

import pytest

from lib.core.errors import UserError
from lib.settings.base import validate
from lib.settings.sweep import SweepSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"settings": {"pretrain.rank": []}}, "pretrain.rank needs a list of values"),
        (
            {"settings": {"pretrain.rank": {"lowest": 4, "highest": 64}}},
            "pretrain.rank is a range, and a grid needs lists",
        ),
        (
            {"settings": {"pretrain.rank": {"lowest": 64, "highest": 4}}, "method": "random"},
            r"lowest \(64\) must be below highest \(4\)",
        ),
        (
            {"settings": {"pretrain.dropout": {"lowest": 0, "highest": 1, "scale": "log"}}, "method": "random"},
            "scale: log needs a lowest value above 0, not 0",
        ),
        ({"settings": {"pretrain.rank": [4]}, "points": [{"pretrain.rank": 8}]}, "both say what varies"),
        ({"max_steps": 10, "minutes": 2}, "both say how long points train"),
        ({"rungs": 0}, "rungs is 0"),
        ({"kept": 1.0}, "kept is 1.0"),
        ({"metric": "loss"}, 'metric is "loss"'),
        ({"sizes": [0, 500]}, "unknown key sizes"),
    ],
)
def test_what_cannot_be_meant_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        validate(SweepSettings, values)
    assert "\n" not in str(error.value)
