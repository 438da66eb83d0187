import pytest

from lib.report.tables import change_text, duration_text, number_text, share_text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (212.5, "3.5 min"), (7200, "2.0 h")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (1234, "1,234"), (32.0, "32"), (0.53661, "0.537"), ("bf16", "bf16")],
)
def test_figures_read_well(value: object, text: str) -> None:
    assert number_text(value) == text


def test_only_all_is_called_all() -> None:
    assert (share_text(1), share_text(0.9999), share_text(0)) == ("100 %", "99.9 %", "0.0 %")


def test_changes_have_a_sign() -> None:
    assert (change_text(-1.25), change_text(3), change_text(None)) == ("−1.2 %", "+3.0 %", "–")
