"""What the report says of training."""

from pathlib import Path
from typing import Any

import pandas as pd

from lib.report.training import loss_charts, loss_lines, read_log, verdicts, warnings

LOG = "step\tloss\teval_loss\tlearning_rate\n0\t\t5.9\t\n10\t3.5\t\t0.1\n20\t3.0\t\t0.1\n20\t\t3.2\t\n"


def manifest(start: float, best: float) -> dict[str, Any]:
    counts = {"steps": 20, "best_step": 20, "validation_loss_at_start": start, "best_validation_loss": best}
    return {"counts": counts, "settings": {}, "facts": {"worse_than_start": best >= start}}


def test_the_curve_of_validation_begins_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "trainer_log.tsv").write_text(LOG)
    (chart,) = loss_charts({"sft": read_log(tmp_path / "trainer_log.tsv")})
    assert [(line.label, line.x, line.y) for line in chart.lines] == [
        ("training", [10, 20], [3.5, 3.0]),
        ("validation", [0, 20], [5.9, 3.2]),
    ]


def test_a_stage_that_is_worse_than_its_start_is_named() -> None:
    assert warnings({"pretrain": manifest(5.9, 3.2)}) == []
    assert warnings({"pretrain": {"counts": {}, "facts": {}}}) == []
    assert warnings({"pretrain": manifest(5.9, 3.2), "sft": manifest(5.9, 40.6)}) == [
        "Instruction tuning never beat its start: the validation loss was 5.900 before the first step and "
        "40.600 at best."
    ]


def test_each_stage_is_told_what_its_curves_say() -> None:
    facts = {"verdict": {"name": "overfits", "step": 10, "sentence": "overfits from step 10"}}
    improving = {"verdict": {"name": "still improving", "step": 20, "sentence": "still improving"}}
    assert verdicts({"pretrain": {"facts": improving}, "sft": {"facts": facts}}) == [
        ("Continued pretraining: still improving.", False),
        ("Instruction tuning: overfits from step 10.", True),
    ]
    assert verdicts({"pretrain": {"facts": {}}}) == []


def test_runs_share_a_chart_each_in_its_colour() -> None:
    log = pd.DataFrame({"step": [0, 10, 10], "loss": [None, 3.5, None], "eval_loss": [4.0, None, 3.6]})
    lines = [line for number, name in enumerate(("one", "two")) for line in loss_lines(log, name, number)]
    assert [(line.label, line.color, line.is_dashed) for line in lines] == [
        ("one: training", 0, True),
        ("one: validation", 0, False),
        ("two: training", 1, True),
        ("two: validation", 1, False),
    ]
    assert (lines[1].x, lines[1].y) == ([0, 10], [4.0, 3.6])


def test_a_log_without_validation_has_no_line_for_it(tmp_path: Path) -> None:
    path = tmp_path / "trainer_log.tsv"
    path.write_text("step\tloss\n10\t3.5\n")
    assert [line.label for line in loss_lines(read_log(path))] == ["training"]
    path.write_text("step\tloss\teval_loss\n")
    assert loss_charts({"sft": read_log(path)}) == []
