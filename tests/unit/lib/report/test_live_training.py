"""What the log of a training that goes on tells, while its last line is half-written and after it was interrupted."""

import json
import os
import time
from pathlib import Path

import pytest

from lib.report.live_training import last_line, read_live

LOG = """\
pretrain: 5,028,480 of 139,687,488 parameters are trained (3.60%), in bf16; padding is 0.0% of the positions
pretrain: step    0/1300  validation loss 4.6675
pretrain: step   10/1300  loss 4.5149  learning rate 1.38e-03  240 tokens/s  1.5 h left
pretrain: step   20/1300  loss 4.1361  learning rate 1.99e-03  1,299 tokens/s  2 min left
pretrain: step   20/1300  validation loss 3.9533
"""


def points(log: Path, folder: Path, name: str) -> dict[int, float]:
    frame = read_live(log, folder).log.dropna(subset=[name])
    return dict(zip(frame["step"].tolist(), frame[name].tolist(), strict=True))


def test_losses_and_the_time_left_are_read_from_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "pretrain.log"
    log.write_text(LOG + "pretrain: step   30/1300  loss 3.9", encoding="utf-8")
    assert points(log, tmp_path, "loss") == {10: 4.5149, 20: 4.1361}
    assert points(log, tmp_path, "eval_loss") == {0: 4.6675, 20: 3.9533}
    live = read_live(log, tmp_path)
    assert (live.step, live.steps) == (20, 1300)
    assert last_line(log) == "pretrain: step   20/1300  validation loss 3.9533"
    # Half a minute after the last line, half a minute less is left.
    os.utime(log, (time.time() - 30,) * 2)
    assert read_live(log, tmp_path).seconds_left == pytest.approx(90, abs=30)


def test_a_log_that_is_not_there_or_says_nothing_yet_is_empty(tmp_path: Path) -> None:
    log = tmp_path / "pretrain.log"
    for text in (None, "", LOG.splitlines()[0] + "\n"):
        if text is not None:
            log.write_text(text, encoding="utf-8")
        live = read_live(log, tmp_path)
        assert (len(live.log), live.step, live.steps, live.seconds_left) == (0, 0, 0, None)
    assert last_line(tmp_path / "none.log") == ""


def test_a_loss_that_is_no_number_is_no_point(tmp_path: Path) -> None:
    log = tmp_path / "sft.log"
    log.write_text("sft: step 5/9  loss nan  learning rate 1.38e-03  240 tokens/s  3 s left\n", encoding="utf-8")
    assert points(log, tmp_path, "loss") == {}
    assert read_live(log, tmp_path).step == 5


def test_a_training_that_goes_on_has_the_losses_from_before(tmp_path: Path) -> None:
    history = [{"step": 0, "eval_loss": 5.0}, {"step": 10, "loss": 4.8}, {"step": 20, "loss": 4.6}]
    for step in (10, 20):  # the one that the training went on from is gone, or is damaged
        folder = tmp_path / "work" / "pretrain" / "0a1b" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "trainer_state.json").write_text(json.dumps({"log_history": history}), encoding="utf-8")
    (tmp_path / "work/pretrain/0a1b/checkpoint-10/trainer_state.json").write_text("{", encoding="utf-8")
    log = tmp_path / "pretrain.log"
    resumed = "pretrain: going on from work/pretrain/0a1b/checkpoint-10\n"
    line = "pretrain: step 20/40  loss 4.5000  learning rate 1.38e-03  240 tokens/s  3 s left\n"
    log.write_text(resumed + line, encoding="utf-8")
    assert points(log, tmp_path, "loss") == {10: 4.8, 20: 4.5}
    assert points(log, tmp_path, "eval_loss") == {0: 5.0}
