"""Loss curves: the same bytes for the same data, text kept as text, colours of the page."""

import re
from pathlib import Path

import pytest

from lib.report.curves import COLORS, loss_curve, read_log

LOG = "step\tloss\teval_loss\tlearning_rate\n10\t3.5\t\t0.1\n20\t3.0\t\t0.1\n20\t\t3.2\t\n"


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    (tmp_path / "trainer_log.tsv").write_text(LOG)
    return tmp_path / "trainer_log.tsv"


def test_the_same_log_gives_the_same_bytes(log_file: Path) -> None:
    assert loss_curve(read_log(log_file), "sft") == loss_curve(read_log(log_file), "sft")


def test_the_drawing_takes_its_colours_from_the_page_and_keeps_text(log_file: Path) -> None:
    svg = loss_curve(read_log(log_file), "sft")
    assert svg.startswith("<svg")
    assert not any(color in svg for color in COLORS)
    assert ">validation</text>" in svg
    assert "metadata" not in svg


def test_names_inside_two_drawings_differ(log_file: Path) -> None:
    one, other = (
        set(re.findall(r'\bid="([^"]+)"', loss_curve(read_log(log_file), name))) for name in ("pretrain", "sft")
    )
    assert one
    assert not one & other


def test_every_reference_inside_a_drawing_has_its_target(log_file: Path) -> None:
    svg = loss_curve(read_log(log_file), "sft")
    names = set(re.findall(r'\bid="([^"]+)"', svg))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= names


def test_a_log_without_validation_is_drawn_and_an_empty_one_too(tmp_path: Path) -> None:
    path = tmp_path / "trainer_log.tsv"
    for text in ("step\tloss\n10\t3.5\n", "step\tloss\teval_loss\n"):
        path.write_text(text)
        assert ">validation</text>" not in loss_curve(read_log(path), "sft")
