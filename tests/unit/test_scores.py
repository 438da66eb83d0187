"""The table of scores: order, figures, how it reads, and the sample answers."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import scores
import summary

from lib.core.errors import UserError
from lib.evaluation.score_table import COLUMNS, change, changes, parts_table, render, score_table

ANSWER = "# 不是标题\n<b>&</b>\n\n```"


def figures(bits: float) -> dict[str, float | int]:
    return {
        "bits_per_character": bits,
        "bits_per_byte": bits / 3,
        "characters_per_token": 0.5,
        "characters": 100,
        "bytes": 300,
        "tokens": 200,
    }


def result(model: str, text: float, response: float, control: float | None) -> dict[str, Any]:
    return {
        "model": model,
        "precision": "fp32",
        "text": {"overall": figures(text), "parts": {"novel": figures(text)}},
        "responses": {"overall": figures(response), "parts": {"writing": figures(response)}},
        "control": None if control is None else figures(control),
        "answers": [{"prompt": "问\n题", "answer": f"{model}: {ANSWER}", "ended": model == "finetuned"}],
    }


RESULTS = [
    result("finetuned", 7.5, 5.0, 3.3),
    result("base", 9.0, 8.0, 3.0),
    result("pretrained", 7.2, 6.25, 3.2),
    result("extended", 9.5, 8.5, 3.0),
]

WITHOUT_STAGE_2 = [one | {"responses": None} for one in RESULTS[1:]]
WITHOUT_TEXT = [one | {"text": None} for one in RESULTS[:2]]


def test_rows_come_in_the_order_of_the_pipeline() -> None:
    assert list(score_table(RESULTS)["model"]) == ["base", "extended", "pretrained", "finetuned"]


def test_changes_are_against_the_base_model() -> None:
    assert dict(changes(score_table(RESULTS))) == pytest.approx(
        {
            "held-out text after pretraining": -20.0,
            "responses after fine-tuning": -37.5,
            "control text after both": 10.0,
        }
    )


def test_what_was_not_measured_is_left_out() -> None:
    table = score_table([result("base", 9.0, 8.0, None), result("pretrained", 7.2, 6.25, None)])
    assert change(table, "control_bits_per_character", "pretrained") is None
    assert change(table, "text_bits_per_character", "finetuned") is None
    assert "control" not in render(table)


@pytest.mark.parametrize(
    ("results", "lacks", "has"),
    [
        (WITHOUT_STAGE_2, "response", "held-out text after pretraining"),
        (WITHOUT_TEXT, "text", "responses after fine-tuning"),
    ],
)
def test_a_run_without_a_stage_has_tables_without_its_figures(
    results: list[dict[str, Any]], lacks: str, has: str
) -> None:
    table = score_table(results)
    assert table[f"{lacks}_bits_per_character"].isna().all()
    assert COLUMNS[f"{lacks}_bits_per_character"] not in render(table).splitlines()[0]
    assert has in dict(changes(table))
    assert len(parts_table(results)) == len(results)
    assert parts_table([one | {"text": None, "responses": None} for one in results]).empty


def test_the_printed_table_is_aligned() -> None:
    lines = render(score_table(RESULTS)).splitlines()
    assert len({len(line) for line in lines[:6]}) == 1
    assert " ".join(lines[0].split()) == "bits per character held-out text responses control text chars/token"
    assert lines[2].split() == ["base", "model", "9.000", "8.000", "3.000", "0.500"]
    assert "Lower is better" in "\n".join(lines)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    paths = []
    for one in RESULTS:
        paths.append(tmp_path / f"{one['model']}.json")
        paths[-1].write_text(json.dumps(one))
    outputs = [f"--{name}={tmp_path / file}" for name, file in scores_outputs().items()]
    monkeypatch.setattr(sys, "argv", ["scores.py", "--results", *map(str, paths), *outputs])
    scores.main()
    return tmp_path


def scores_outputs() -> dict[str, str]:
    return {"table": "scores.tsv", "parts": "parts.tsv", "answers": "answers.md"}


def test_files_hold_every_model_and_part(written: Path) -> None:
    table = pd.read_csv(written / "scores.tsv", sep="\t").set_index("model")
    assert table.loc["pretrained", "text_bits_per_character"] == 7.2
    assert table.loc["finetuned", "answers_ended"] == 1
    parts = pd.read_csv(written / "parts.tsv", sep="\t")
    assert len(parts) == 8
    assert set(parts["part"]) == {"novel", "writing"}


def test_answers_stand_side_by_side_as_they_are(written: Path) -> None:
    document = (written / "answers.md").read_text(encoding="utf-8")
    assert "## 问 题" in document
    for one in RESULTS:
        ending = "" if one["model"] == "finetuned" else " …"
        block = "\n".join(f"    {line}".rstrip() for line in f"{one['model']}: {ANSWER}{ending}".splitlines())
        assert block in document


def test_the_summary_says_where_the_model_is_and_what_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "results" / "evaluation" / "scores.tsv"
    table.parent.mkdir(parents=True)
    for results, folder in ((RESULTS, "sft_model"), (WITHOUT_STAGE_2, "pretrain_model")):
        score_table(results).to_csv(table, sep="\t", index=False)
        monkeypatch.setattr(sys, "argv", ["summary.py", "--folder", str(tmp_path), "--files", "my_run.yaml"])
        summary.main()
        text = capsys.readouterr().out
        assert render(score_table(results)) in text
        assert f"The model is in {tmp_path / 'results' / folder};" in text
        for command in ("make chat CONFIG=my_run.yaml", "make report CONFIG=my_run.yaml"):
            assert command in text


def test_a_summary_before_the_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["summary.py", "--folder", str(tmp_path)])
    with pytest.raises(UserError, match="make run"):
        summary.main()
