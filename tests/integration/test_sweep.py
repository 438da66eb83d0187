"""Experiments on the tiny model: two rungs, killed and resumed, and the best settings laid on top of the run's."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from lib.core.outputs import read_json
from workspace import TIME_LIMIT, Workspace, quiet_environment

BEST = "results/sweep/best.yaml"
# Of the three other points, one diverges, and two are kept for the second rung.
SWEEP = {
    "points": [
        {"pretrain.learning_rate": 1e30, "tokenizer.new_tokens": 30},
        {"pretrain.learning_rate": 0.01, "tokenizer.new_tokens": 0},
        {"pretrain.learning_rate": 0.003, "tokenizer.new_tokens": 0},
    ],
    "max_steps": 20,
    "rungs": 2,
    "kept": 0.34,
    "max_characters": 2_000,
}


@pytest.fixture
def sweeping(fresh: Workspace) -> Workspace:
    """A workspace whose settings ask for a sweep."""
    fresh.configure(sweep=SWEEP)
    return fresh


def test_every_point_is_a_job_and_the_default_target_has_none(sweeping: Workspace) -> None:
    plan = sweeping.planned(BEST)
    count = {rule: sum(job.split()[0] == rule for job in plan) for rule in ("sweep_pretrain", "sweep_evaluate")}
    # Four points, then the run's own settings and the slots for one third of the three others, rounded up.
    assert count == {"sweep_pretrain": 7, "sweep_evaluate": 7}
    assert {"sweep_pretrain key=rung2_1", "sweep_evaluate key=rung2_2", "sweep_rung rung=2", "sweep"} <= plan
    # One vocabulary is the run's own.
    assert sum(job.startswith("sweep_tokenizer ") for job in plan) == sum(job == "tokenizer" for job in plan) == 1
    assert not any("sweep" in job for job in sweeping.planned())


def test_a_sweep_is_killed_and_resumed_and_its_best_settings_hold(sweeping: Workspace) -> None:
    results = sweeping.root / "results" / "sweep"
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", BEST],
        cwd=sweeping.root,
        env=quiet_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    limit = time.monotonic() + TIME_LIMIT
    while not list(results.glob("evaluation/*.tsv")):
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in results.glob("pretrain_lora/*/manifest.json")}
    assert len(finished) < 7

    sweeping.make("--unlock")
    sweeping.make("--rerun-incomplete", BEST)
    scored = {path.stem for path in results.glob("evaluation/*.tsv")}
    # What the scored point was made of was finished and stayed, whatever ran when the sweep was killed.
    assert any(path.stat().st_mtime_ns == when for path, when in finished.items())
    assert len(scored) == 7

    with (results / "table.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["rung"] for row in rows] == ["2"] * 3 + ["1"] * 4
    assert {row["steps"] for row in rows if row["rung"] == "2"} == {"20"}
    assert [row["steps"] for row in rows if row["rung"] == "1"] == ["7", "7", "7", ""]
    kept = read_json(results / "rung2.json")["points"]
    assert kept == ["2", "3"]
    assert [row["point"] for row in rows if row["verdict"] == "diverged"] == [rows[-1]["point"]] == ["1"]
    assert rows[-1]["failure"].startswith("pretrain: diverged at ")
    assert {row["point"] for row in rows if row["rung"] == "2"} == {"0", *kept}
    assert "Nothing to be done" in sweeping.make(BEST)
    assert (results / "sweep.svg").read_text(encoding="utf-8").startswith("<?xml")

    best = yaml.safe_load((results / "best.yaml").read_text(encoding="utf-8"))
    values = best["pretrain"]["learning_rate"], best["tokenizer"]["new_tokens"]
    winner = rows[0]
    assert values == (float(winner["pretrain.learning_rate"]), int(winner["tokenizer.new_tokens"]))
    plan = sweeping.make("-n", "--configfile", "config/demo.yaml", BEST, "--", "results/pretrain_lora/manifest.json")
    assert "demo-best" in best["run"]
    assert "rule pretrain:" in plan
