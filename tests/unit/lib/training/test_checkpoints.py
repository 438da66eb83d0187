"""Which run a work directory belongs to, and which checkpoint a run goes on from."""

from pathlib import Path

import pytest

from lib.core.outputs import write_json
from lib.training.checkpoints import SEAL, STATE, latest_checkpoint, remove_old, seal, work_directory

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
