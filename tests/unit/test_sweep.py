"""The table, the picture, the page and the best settings of a sweep."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sweep as program
import yaml
from browser import CHROMIUM, browser

from lib.core.errors import UserError

METRIC = "text_bits_per_character"
POINTS = {
    "0": {"pretrain.learning_rate": 1e-3, "pretrain.rank": 16},
    "1": {"pretrain.learning_rate": 1e-2, "pretrain.rank": 16},
    "2": {"pretrain.learning_rate": 1e-3, "pretrain.rank": 4},
    "3": {"pretrain.learning_rate": 1e-2, "pretrain.rank": 4},
}


def write_point(folder: Path, point: str, bits: float) -> str:
    """What scoring and training a point leave behind, and its description for the program."""
    documents = [f"document {number}" for number in range(40)]
    noise = np.random.default_rng(int(point)).normal(0, 0.01, len(documents))
    amounts = 100 * (bits + np.linspace(-1, 1, len(documents)) + noise)
    rows = {"figure": METRIC, "part": "novel", "document": documents, "amount": amounts, "size": 100.0}
    pd.DataFrame(rows).to_csv(folder / f"{point}.tsv", sep="\t", index=False)
    (folder / f"{point}.json").write_text(json.dumps({"control": {"bits_per_character": 1.5}}))
    trained = folder / point
    trained.mkdir()
    manifest = {"counts": {"steps": 20}, "facts": {"verdict": {"name": "still improving"}}}
    (trained / "manifest.json").write_text(json.dumps(manifest))
    (trained / "trainer_log.tsv").write_text("step\tloss\teval_loss\n0\t\t5.0\n20\t4.0\t\n20\t\t4.1\n")
    (folder / f"benchmark_{point}.tsv").write_text(f"s\n{30 + int(point)}\n")
    files = {
        "items": str(folder / f"{point}.tsv"),
        "scores": str(folder / f"{point}.json"),
        "trained": {"pretrain": {"folder": str(trained), "benchmark": str(folder / f"benchmark_{point}.tsv")}},
    }
    return json.dumps({"rung": 1, "point": point, "key": point, **files})


def write_failure(folder: Path, point: str) -> None:
    """What is left of a point that diverged, in place of the rest."""
    failure = {"name": "diverged", "sentence": "pretrain: diverged at step 5: the loss is nan"}
    (folder / f"{point}.tsv").write_text("", encoding="utf-8")
    (folder / f"{point}.json").write_text(json.dumps({"failure": failure}))
    (folder / point / "manifest.json").write_text(json.dumps({"counts": {}, "facts": {"failure": failure}}))
    (folder / point / "trainer_log.tsv").unlink()


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, bits: list[float], failed: Sequence[str] = ()
) -> dict[str, Path]:
    """Run the program on points that need these bits per character, or failed; returns what it wrote."""
    members = [write_point(folder, point, value) for point, value in zip(POINTS, bits, strict=True)]
    for point in failed:
        write_failure(folder, point)
    names = {"table": "table.tsv", "importance": "importance.tsv", "picture": "sweep.svg", "page": "report.html"}
    written = {option: folder / name for option, name in (names | {"best": "best.yaml"}).items()}
    options = [word for option, path in written.items() for word in (f"--{option}", str(path))]
    fixed = ["--points", json.dumps(POINTS), "--metric", METRIC, "--name", "mine", "--members", *members]
    monkeypatch.setattr(sys, "argv", ["sweep.py", *fixed, *options])
    program.main()
    return written


def test_the_best_point_is_first_and_its_settings_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = run(tmp_path, monkeypatch, [8.0, 7.5, 8.1, 7.7])
    table = pd.read_csv(written["table"], sep="\t")
    assert table["point"].tolist() == [1, 3, 0, 2]
    best = table.iloc[0]
    assert (best["verdict"], best["curves"], best["seconds"], best["steps"]) == ("better", "still improving", 31, 20)
    assert best["difference"] == pytest.approx(-0.5, abs=0.02)
    assert best["low"] < best["difference"] < best["high"] < 0
    assert table.iloc[2]["verdict"] != table.iloc[2]["verdict"]  # the run's own settings have none

    text = written["best"].read_text(encoding="utf-8")
    assert text.startswith("# Lay it on top of the settings of the run: point 1 (pretrain.learning_rate: 0.01, ")
    assert "is better than the run's own settings: -0." in text
    assert yaml.safe_load(text) == {"run": "mine-best", "pretrain": {"learning_rate": 0.01, "rank": 16}}

    shares = pd.read_csv(written["importance"], sep="\t")
    assert shares["setting"].tolist() == ["pretrain.learning_rate", "pretrain.rank"]
    assert shares["share"][0] > 0.8
    assert shares["share"][1] < 0.2
    assert "sweep: point 1" in capsys.readouterr().out


def test_the_runs_own_settings_may_be_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = run(tmp_path, monkeypatch, [7.0, 7.5, 8.1, 7.7])
    text = written["best"].read_text(encoding="utf-8")
    assert "the run's own settings are the best of all points on held-out text" in text
    assert yaml.safe_load(text)["pretrain"] == {"learning_rate": 0.001, "rank": 16}


def test_what_cannot_be_told_apart_is_not_called_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = run(tmp_path, monkeypatch, [8.0, 7.999, 8.1, 8.2])
    assert "is not told apart from the run's own settings" in written["best"].read_text(encoding="utf-8")


def test_a_point_that_diverged_is_a_row_and_the_others_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = run(tmp_path, monkeypatch, [8.0, 7.5, 8.1, 7.7], failed=["3"])
    table = pd.read_csv(written["table"], sep="\t", keep_default_na=False)
    assert table["point"].tolist() == [1, 0, 2, 3]
    assert table["verdict"].tolist()[::3] == ["better", "diverged"]
    last = table.iloc[-1]
    assert (last["chosen_by"], last["difference"], last["steps"]) == ("", "", "")
    assert last["failure"] == "pretrain: diverged at step 5: the loss is nan"
    assert "point 1 (pretrain.learning_rate: 0.01, pretrain.rank: 16) is better" in written["best"].read_text()
    page = written["page"].read_text(encoding="utf-8")
    assert "diverged<small>pretrain: diverged at step 5: the loss is nan</small>" in page
    assert ">nan<" not in page
    assert '"point 1"' in page  # its curve
    assert '"point 3"' not in page
    assert ">3<" not in written["picture"].read_text(encoding="utf-8")


def test_the_others_are_compared_when_the_runs_own_settings_diverge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = run(tmp_path, monkeypatch, [8.0, 7.5, 8.1, 7.7], failed=["0"])
    table = pd.read_csv(written["table"], sep="\t", keep_default_na=False)
    assert table["point"].tolist() == [1, 3, 2, 0]
    assert table["verdict"].tolist() == ["", "", "", "diverged"]
    best = written["best"].read_text(encoding="utf-8")
    assert "is the best of those that could be trained on held-out text; the run's own settings could not" in best
    assert yaml.safe_load(best)["pretrain"] == {"learning_rate": 0.01, "rank": 16}


def test_a_sweep_in_which_no_point_could_be_trained_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no point could be trained: pretrain: diverged at step 5"):
        run(tmp_path, monkeypatch, [8.0, 7.5, 8.1, 7.7], failed=list(POINTS))


def test_the_page_shows_points_and_curves_and_the_picture_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    pictures: list[Any] = []
    for folder in folders:
        folder.mkdir()
        written = run(folder, monkeypatch, [8.0, 7.5, 8.1, 7.7])
        pictures.append(written["picture"].read_bytes())
    assert pictures[0] == pictures[1]
    page = written["page"].read_text(encoding="utf-8")
    assert "Point 1 (pretrain.learning_rate: 0.01" in page
    assert '"xLabel": "seconds of training"' in page
    assert page.count("<svg") == 1
    assert "<script" in page


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_the_page_fits_a_narrow_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = run(tmp_path, monkeypatch, [8.0, 7.5, 8.1, 7.7], failed=["3"])
    with browser(tmp_path / "browser") as page:
        page.open(written["page"].as_uri(), width=420)
        page.wait("document.querySelectorAll('.plot canvas').length === 1")
        assert page.value("document.documentElement.scrollWidth") == 420
        assert page.value("document.querySelectorAll('svg text').length") > 10
