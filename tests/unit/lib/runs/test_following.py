"""A run that goes on, looked at while its first training goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.runs.following import Follower
from lib.runs.plan import Job, write_plan
from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings

JOBS = [
    Job("pretrain", 2, "logs/pretrain.log", "benchmarks/pretrain.tsv", []),
    Job("sft", 2, "logs/sft.log", "benchmarks/sft.tsv", [0]),
]
SETTINGS: dict[str, Any] = {
    "base_model": {"uri": "model"},
    "pretrain": {"max_steps": 100, "batch_size": 2, "gradient_accumulation": 1, "block_size": 50},
    "sft": {"max_steps": 10, "batch_size": 5, "gradient_accumulation": 1},
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_second_training_is_foreseen_by_the_first_one_that_goes_on(tmp_path: Path) -> None:
    for folder, counts in (("base_model", {"parameters": 7}), ("sft_data", {"train": 4, "train_tokens": 400})):
        write(tmp_path / "results" / folder / "manifest.json", json.dumps({"counts": counts}))
    write_plan(tmp_path, JOBS, cores=2)
    write(tmp_path / JOBS[0].log, "pretrain: step 50/100  loss 4.5  learning rate 1e-03  9 tokens/s  2.0 h left\n")
    look = Follower(tmp_path, "", validate(PipelineSettings, SETTINGS)).look()
    assert look is not None
    assert (look.state, look.done, look.unknown) == ("running", 0, [])
    pretrain, sft = look.stages
    # 10,000 tokens take two hours and what has passed; 5,000 tokens of instructions half of that.
    assert (pretrain.sources, sft.sources) == ({"its own steps"}, {"the speed of pretrain"})
    assert pretrain.left == pytest.approx(7_200, abs=200)
    assert sft.left == pytest.approx(3_600, abs=100)
    assert look.seconds_left == pytest.approx(pretrain.left + sft.left, abs=1)
