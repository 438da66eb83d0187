"""Runs side by side: what differs, by how much, and all curves on one page."""

import json
import re
import sys
from pathlib import Path

import compare
import pytest

from lib.core.errors import UserError

FIGURES = ("text_bits_per_character", "response_bits_per_character", "control_bits_per_character")
SCORES = "\t".join(["model", *FIGURES, "text_characters_per_token"]) + "\n"
LOG = "step\tloss\teval_loss\n0\t\t4.0\n1\t3.5\t\n2\t3.0\t{}\n"


def make_run(folder: Path, rank: int, bits: float) -> None:
    """What a run leaves behind, as far as it is compared."""
    for stage, settings in {"base_model": {"uri": "model"}, "pretrain_lora": {"rank": rank, "alpha": 32}}.items():
        (folder / "results" / stage).mkdir(parents=True)
        manifest = {"settings": settings, "seed": 1}
        (folder / "results" / stage / "manifest.json").write_text(json.dumps(manifest))
    (folder / "results" / "pretrain_lora" / "trainer_log.tsv").write_text(LOG.format(bits))
    (folder / "results" / "evaluation").mkdir()
    rows = f"base\t8\t7\t\t0.5\npretrained\t{bits}\t7\t\t0.7\n"
    (folder / "results" / "evaluation" / "scores.tsv").write_text(SCORES + rows)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_run(tmp_path, 8, 6.5)
    make_run(tmp_path / "runs" / "wide", 64, 6.25)
    (tmp_path / "runs" / "planned" / "logs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compared(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(sys, "argv", ["compare.py", *names])
    compare.main()


def test_all_runs_are_compared_with_the_first(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compared(monkeypatch)
    lines = [re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [["key", "demo", "wide"], ["pretrain.rank", "8", "64"]]
    assert ["base model", "held-out text", "8", "8 (same)"] in lines
    assert ["after pretraining", "held-out text", "6.500", "6.250 (−0.250)"] in lines
    assert not [line for line in lines if "control text" in line or "planned" in line]
    page = (project / "runs" / "compare.html").read_text(encoding="utf-8")
    (chart,) = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    drawn = {line["label"]: line["y"] for line in json.loads(chart)["lines"]}
    assert drawn["demo: validation"] == [4.0, None, 6.5]
    assert drawn["wide: validation"] == [4.0, None, 6.25]
    assert drawn["wide: training"] == [None, 3.5, 3.0]


def test_runs_that_were_made_alike_differ_in_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(project / "runs" / "again", 64, 6.25)
    compared(monkeypatch, "wide", "again")
    assert capsys.readouterr().out.startswith("key  wide  again\n\n")
    assert "were made with the same settings" in (project / "runs" / "compare.html").read_text(encoding="utf-8")


def test_what_cannot_be_compared(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for names, message in (
        (["wide", "wdie"], "there is no run 'wdie': runs/wdie/results holds no results"),
        (["wide"], "two runs or more can be compared, and there is wide"),
    ):
        with pytest.raises(UserError, match=message):
            compared(monkeypatch, *names)
    assert not (project / "runs" / "compare.html").exists()
