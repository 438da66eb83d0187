"""Which run a work directory belongs to, and which checkpoint a run goes on from."""

import os
from pathlib import Path
from typing import Any

import pytest

from lib.core.manifest import NAME, write_manifest
from lib.core.outputs import write_json
from lib.training.checkpoints import (
    SEAL,
    STATE,
    begin,
    content_digest,
    difference,
    latest_checkpoint,
    remove_old,
    seal,
    work_directory,
)

FILES = ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth", STATE, SEAL)


def checkpoint(work: Path, step: int, best: int | None = None) -> Path:
    """A whole checkpoint that knows of the best one so far."""
    directory = work / f"checkpoint-{step}"
    directory.mkdir(parents=True)
    for name in FILES[:3]:
        (directory / name).write_text(f"{name} of step {step}")
    path = str(work / f"checkpoint-{best}") if best else None
    write_json(directory / STATE, {"global_step": step, "best_model_checkpoint": path})
    seal(directory)
    return directory


def test_none_at_first(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "new") is None


def test_newest_by_number(tmp_path: Path) -> None:
    checkpoint(tmp_path, 9)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    checkpoint(tmp_path, 10)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.parametrize("damage", ["gone", "cut off", "changed"])
@pytest.mark.parametrize("name", FILES)
def test_damaged_one_is_left_for_the_one_before(
    tmp_path: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(tmp_path, 5)
    path = checkpoint(tmp_path, 10) / name
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-5] if damage == "cut off" else whole.replace(b"e", b"\xff", 1))
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-5"
    assert "checkpoint-10 is damaged" in capsys.readouterr().out
    assert not (tmp_path / "checkpoint-10").exists()


@pytest.mark.fault
def test_a_run_whose_best_one_is_damaged_goes_back_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(tmp_path, 5)
    (checkpoint(tmp_path, 10) / "adapter_model.safetensors").write_text("")
    checkpoint(tmp_path, 15, best=10)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-5"
    assert "checkpoint-10 is damaged" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        checkpoint(tmp_path, step, best=5)
    remove_old(tmp_path, 3)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-5", "checkpoint-15", "checkpoint-20"}
    remove_old(tmp_path, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-5", "checkpoint-20"}


def test_another_setting_is_another_run(tmp_path: Path) -> None:
    first = work_directory(tmp_path, {"rank": 8, "seed": 1})
    assert first == work_directory(tmp_path, {"seed": 1, "rank": 8})
    assert first != work_directory(tmp_path, {"rank": 16, "seed": 1})


def run_of(root: Path, step: int, **identity: Any) -> Path:
    """The work directory of a run with a checkpoint."""
    work = work_directory(root, identity)
    begin(work, identity)
    checkpoint(work, step)
    return work


def test_the_newest_of_other_runs_is_compared(tmp_path: Path) -> None:
    new = {"rank": 8, "learning_rate": 2e-4, "target_modules": ["q_proj"], "data": "b"}
    assert difference(work_directory(tmp_path, new), new) is None
    run_of(tmp_path, 5, **new)
    assert difference(work_directory(tmp_path, new), new) is None
    old = run_of(tmp_path, 351, **new | {"learning_rate": 1e-4, "target_modules": "all-linear", "data": "a"})
    older = run_of(tmp_path, 700, **new | {"rank": 16})
    os.utime(older / "checkpoint-700" / SEAL, (1, 1))
    assert difference(work_directory(tmp_path, new), new) == (
        f"checkpoints up to step 351 in {old} were made with learning_rate 0.0001 (now 0.0002), "
        'target_modules "all-linear" (now ["q_proj"]), other data'
    )


def test_a_run_that_kept_no_values_cannot_be_compared(tmp_path: Path) -> None:
    checkpoint(tmp_path / "old", 5)
    assert difference(tmp_path / "new", {}) == (
        f"checkpoints up to step 5 in {tmp_path / 'old'} do not say what they were made with"
    )


FILES_OF_A_MODEL = {
    "model.safetensors": "weights",
    "config.json": '{"rope_theta": 1, "transformers_version": "5.24.0"}',
    "tokenizer.json": "{}",
    "report.md": "fine",
}


@pytest.mark.parametrize(
    ("name", "text", "is_read"),
    [
        ("model.safetensors", "other weights", True),
        ("config.json", '{"rope_theta": 2, "transformers_version": "5.24.0"}', True),
        ("config.json", '{"rope_theta": 1, "transformers_version": "5.25.0"}', False),
        ("tokenizer.json", "{ }", False),
        ("report.md", "better", False),
    ],
)
def test_content_is_what_training_reads(tmp_path: Path, name: str, text: str, is_read: bool) -> None:
    for path, content in FILES_OF_A_MODEL.items():
        (tmp_path / path).write_text(content)
    write_manifest(tmp_path, inputs={}, counts={"parameters": 1}, packages=["torch"])
    before = content_digest(tmp_path / NAME)
    (tmp_path / name).write_text(text)
    write_manifest(tmp_path, inputs={}, counts={"parameters": 2})
    assert (content_digest(tmp_path / NAME) != before) == is_read


def test_content_holds_the_new_tokens(tmp_path: Path) -> None:
    write_manifest(tmp_path, inputs={}, counts={}, facts={"new_token_ids": [7]})
    before = content_digest(tmp_path / NAME)
    write_manifest(tmp_path, inputs={}, counts={}, facts={"new_token_ids": [7, 8]})
    assert content_digest(tmp_path / NAME) != before
