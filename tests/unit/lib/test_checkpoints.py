"""Which run a work directory belongs to, and which checkpoint a run goes on from."""

from pathlib import Path

import pytest

from lib.checkpoints import NEEDED_FILES, latest_checkpoint, work_directory


def checkpoint(work: Path, step: int) -> Path:
    directory = work / f"checkpoint-{step}"
    directory.mkdir(parents=True)
    for name in NEEDED_FILES:
        (directory / name).write_text("{}")
    return directory


def test_none_at_first(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "new") is None


def test_newest_by_number(tmp_path: Path) -> None:
    checkpoint(tmp_path, 9)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    checkpoint(tmp_path, 10)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.parametrize("name", NEEDED_FILES)
def test_damaged_one_is_left_for_the_one_before(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(tmp_path, 5)
    (checkpoint(tmp_path, 10) / name).unlink()
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-5"
    assert "checkpoint-10 is damaged" in capsys.readouterr().out
    assert not (tmp_path / "checkpoint-10").exists()


def test_torn_state_is_damage(tmp_path: Path) -> None:
    (checkpoint(tmp_path, 10) / "trainer_state.json").write_text('{"global_step": ')
    assert latest_checkpoint(tmp_path) is None


def test_another_setting_is_another_run(tmp_path: Path) -> None:
    first = work_directory(tmp_path, {"rank": 8, "seed": 1})
    assert first == work_directory(tmp_path, {"seed": 1, "rank": 8})
    assert first != work_directory(tmp_path, {"rank": 16, "seed": 1})
