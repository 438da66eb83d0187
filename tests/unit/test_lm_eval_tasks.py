"""What lm-eval measured becomes items; the harness itself is run where it is installed."""

import importlib.util
import sys
from pathlib import Path

import lm_eval_tasks
import pytest

from lib.core.errors import UserError


def test_metrics_of_which_more_is_better_become_items() -> None:
    samples = [
        {"doc_id": 0, "acc": 1.0, "perplexity": 3.0, "note": "x"},
        {"doc_id": 1, "acc": 0.0, "perplexity": 5.0, "note": "y"},
    ]
    found = {
        "samples": {"law": samples},
        "higher_is_better": {"law": {"acc": True, "perplexity": False, "note": True}},
    }
    items = list(lm_eval_tasks.harness_items(found))
    assert [(item.figure, item.part, item.document, item.amount, item.size) for item in items] == [
        ("lm_eval.law.acc", "law", "law:0", 1.0, 1.0),
        ("lm_eval.law.acc", "law", "law:1", 0.0, 1.0),
    ]


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is not None, reason="lm-eval is installed")
def test_without_lm_eval_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    options = ["--tasks", "law", "--name", "base", "--model", str(tmp_path / "none"), "--output", str(tmp_path / "x")]
    monkeypatch.setattr(sys, "argv", ["lm_eval_tasks.py", *options])
    with pytest.raises(UserError, match=r"evaluation\.lm_eval needs lm-eval: pip install --no-deps -r envs/"):
        lm_eval_tasks.main()
