"""How long jobs will take, against figures worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.runs.durations import Durations, EarlierRun, read_seconds, seconds_to_the_end
from lib.runs.plan import Job, JobState, Plan
from lib.runs.sizes import Sizes, sizes_before, sizes_now
from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings

NO_MINUTES: dict[str, float | None] = {}


def job(rule: str, threads: int = 1, needs: list[int] | None = None) -> Job:
    return Job(rule, threads, f"logs/{rule}.log", f"benchmarks/{rule}.tsv", needs or [])


def sizes(parameters: float | None = 100, characters: float | None = 1_000, **tokens: float | None) -> Sizes:
    return Sizes(parameters, characters, {"pretrain": None, "sft": None} | tokens)


def write_benchmark(folder: Path, name: str, seconds: str) -> None:
    path = folder / "benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\n{seconds}\t0:00:10\n", encoding="utf-8")


def write_manifest(folder: Path, **values: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(values), encoding="utf-8")


def test_a_benchmark_that_is_not_whole_is_none(tmp_path: Path) -> None:
    path = tmp_path / "one.tsv"
    assert read_seconds(path) is None
    for text in ("", "s\th:m:s\n", "s\th:m:s\n-\t-\n"):
        path.write_text(text, encoding="utf-8")
        assert read_seconds(path) is None
    path.write_text("s\th:m:s\n2.5\t0:00:02\n", encoding="utf-8")
    assert read_seconds(path) == 2.5


def test_the_best_that_is_known_comes_first(tmp_path: Path) -> None:
    write_benchmark(tmp_path, "clean", "8")
    other = EarlierRun("other", {"clean": 3.0, "split": 6.0, "evaluate": 40.0}, sizes(200, 500))
    durations = Durations(tmp_path, [other])
    known = sizes()

    def expected(rule: str, finished: dict[str, list[float]] | None = None) -> tuple[float, str] | None:
        found = durations.expected(job(rule), finished or {}, known, NO_MINUTES)
        return (found.seconds, found.source) if found else None

    assert expected("clean", {"clean": [1.0, 3.0]}) == (2.0, "jobs of this run")
    assert expected("clean") == (8.0, "its last run")
    assert expected("split") == (12.0, "run other, times 2")  # twice the characters
    assert expected("evaluate") == (20.0, "run other, times 0.5")  # half the parameters
    assert expected("corpus") is None
    assert durations.expected(job("split"), {}, sizes(characters=None), NO_MINUTES) is None
    assert durations.expected(job("pretrain"), {}, known, {"pretrain": 2}).seconds == 120  # type: ignore[union-attr]


def test_the_second_training_is_known_by_the_speed_of_the_first(tmp_path: Path) -> None:
    durations = Durations(tmp_path, [])
    known = sizes(pretrain=1_000, sft=250)
    found = durations.expected(job("sft"), {"pretrain": [80.0]}, known, NO_MINUTES)
    assert found is not None
    assert (found.seconds, found.source) == (20.0, "the speed of pretrain")
    assert durations.expected(job("split"), {"pretrain": [80.0]}, known, NO_MINUTES) is None


def test_a_training_of_more_steps_takes_longer_than_the_last_one(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_manifest(results / "base_model", counts={"parameters": 10})
    write_manifest(results / "pretrain_data", counts={"train_blocks": 50})
    write_manifest(results / "sft_data", counts={"train": 20, "train_tokens": 600})
    settings = {"batch_size": 2, "gradient_accumulation": 1, "block_size": 8, "max_steps": 10, "minutes": None}
    write_manifest(results / "pretrain_lora", settings=settings, counts={"steps": 10}, facts={"processes": 1})
    write_benchmark(tmp_path, "pretrain", "30")
    before = sizes_before(results)
    assert (before.of("pretrain"), before.of("sft")) == (10 * 2 * 8 * 10, None)

    given: dict[str, Any] = {
        "base_model": {"uri": "model"},
        "pretrain": {"batch_size": 1, "gradient_accumulation": 4, "block_size": 16, "epochs": 2},
        "sft": {"batch_size": 4, "epochs": 3},
    }
    now = sizes_now(results, validate(PipelineSettings, given))
    # 100 blocks in fours are 25 steps of 64 tokens; 60 examples of 30 tokens in fours are 15 steps of 120.
    assert now.tokens == {"pretrain": 1_600, "sft": 1_800}
    found = Durations(tmp_path, []).expected(job("pretrain"), {}, now, NO_MINUTES)
    assert found is not None
    assert found.seconds == pytest.approx(30 * 1_600 / 160)
    # Steps that a time decides are not known before.
    given["pretrain"] = {"minutes": 5}
    assert sizes_now(results, validate(PipelineSettings, given)).tokens["pretrain"] is None


def left_of(jobs: list[Job], states: list[JobState], seconds: list[float], cores: int | None = 2) -> float:
    return seconds_to_the_end(Plan(0.0, cores, "", jobs), states, seconds.__getitem__)


def test_jobs_side_by_side_end_when_the_cores_allow() -> None:
    three = [job("clean"), job("clean"), job("clean")]
    waiting: list[JobState] = ["waiting"] * 3
    assert left_of(three, waiting, [10, 10, 10]) == 20
    assert left_of(three, waiting, [10, 10, 10], cores=None) == 10
    assert left_of(three, ["done", "running", "waiting"], [0, 4, 10]) == 10
    assert left_of(three, ["done", "running", "waiting"], [0, 4, 10], cores=1) == 14
    assert left_of(three, ["done", "done", "done"], [0, 0, 0]) == 0


def test_a_job_waits_for_those_before_it_and_for_its_threads() -> None:
    # Training takes all cores, however many it asks for; two models are then scored side by side.
    jobs = [job("pretrain", 8), job("evaluate", needs=[0]), job("evaluate", needs=[0]), job("scores", needs=[1, 2])]
    assert left_of(jobs, ["waiting"] * 4, [100, 20, 30, 1]) == 131
    assert left_of(jobs, ["running", "waiting", "waiting", "waiting"], [40, 20, 30, 1]) == 71
    assert left_of(jobs, ["done", "running", "done", "waiting"], [0, 5, 0, 1]) == 6
