"""The table of scores: order, figures, how it reads, and the sample answers."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import scores
import summary

from lib.core.errors import UserError
from lib.evaluation.figures import difference_table, figure_table
from lib.evaluation.items import Item
from lib.evaluation.score_table import COLUMNS, changes, in_order, parts_table, percent_change, render, score_table
from score_figures import figures

ANSWER = "# 不是标题\n<b>&</b>\n\n```"


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


HARDNESS = (-0.3, -0.1, 0.0, 0.1, 0.3)
"""What five texts need more or less than their mean, in bits per character."""


def items_of(one: dict[str, Any]) -> pd.DataFrame:
    """Items on five texts of 100 characters each, with the figures of `one` in the mean."""
    figures = {"text": one["text"], "response": one["responses"], "control": {"overall": one["control"]}}
    return pd.DataFrame(
        [
            asdict(Item(f"{name}_bits_per_character", "", str(number), 100 * (bits + more), 100.0))
            for name, measured in figures.items()
            if measured and measured["overall"] and (bits := measured["overall"]["bits_per_character"])
            for number, more in enumerate(HARDNESS)
        ]
    )


def tables(results: list[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of scores and that of differences."""
    measured = {one["model"]: items_of(one) for one in in_order(results)}
    return score_table(results, figure_table(measured)), difference_table(measured)


def test_rows_come_in_the_order_of_the_pipeline() -> None:
    assert list(tables(RESULTS)[0]["model"]) == ["base", "extended", "pretrained", "finetuned"]


def test_changes_are_against_the_base_model() -> None:
    found = {one.what: one for one in changes(tables(RESULTS)[1])}
    assert {what: one.interval.value for what, one in found.items()} == pytest.approx(
        {
            "held-out text after pretraining": -20.0,
            "responses after fine-tuning": -37.5,
            "control text after fine-tuning": 10.0,
        }
    )
    assert [one.verdict for one in found.values()] == ["better", "better", "worse"]


def test_a_difference_within_its_interval_tells_nothing() -> None:
    """The same mean differences, but by texts of which two became worse."""
    before, after = items_of(RESULTS[1]), items_of(RESULTS[1])
    after["amount"] += [40.0, -60.0, 30.0, -50.0, 20.0] * 3
    table = difference_table({"base": before, "pretrained": after})
    assert set(table["verdict"]) == {"cannot tell"}
    assert "cannot tell" in render(tables(RESULTS)[0], table)


def test_models_are_compared_on_the_same_texts_only() -> None:
    other = items_of(RESULTS[2]).assign(document="another")
    assert difference_table({"base": items_of(RESULTS[1]), "pretrained": other}).empty


def test_what_was_not_measured_is_left_out() -> None:
    table, differences = tables([result("base", 9.0, 8.0, None), result("pretrained", 7.2, 6.25, None)])
    assert percent_change(table, "control_bits_per_character", "pretrained") is None
    assert percent_change(table, "text_bits_per_character", "finetuned") is None
    assert "control" not in render(table, differences)


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
    table, differences = tables(results)
    assert table[f"{lacks}_bits_per_character"].isna().all()
    assert COLUMNS[f"{lacks}_bits_per_character"] not in render(table, differences).splitlines()[0]
    assert has in [one.what for one in changes(differences)]
    assert len(parts_table(results)) == len(results)
    assert parts_table([one | {"text": None, "responses": None} for one in results]).empty


def test_the_printed_table_is_aligned() -> None:
    lines = render(*tables(RESULTS)).splitlines()
    assert len({len(line) for line in lines[:6]}) == 1
    assert " ".join(lines[0].split()) == "bits per character held-out text responses control text chars/token"
    assert lines[2].split() == ["base", "model", "9.000", "8.000", "3.000", "0.500"]
    assert "Lower is better" in "\n".join(lines)
    changes = lines[lines.index("Against the base model, with 95 % intervals:") + 1 :]
    assert changes[0].startswith("  held-out text after pretraining  -20.0 %  [-")
    assert changes[0].endswith("]  better")
    assert changes[-1].startswith("After fine-tuning, the model forgets its own language (+10.0 % ")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    paths = []
    for one in RESULTS:
        paths.append(tmp_path / f"{one['model']}.json")
        paths[-1].write_text(json.dumps(one))
        items_of(one).to_csv(tmp_path / f"{one['model']}.tsv", sep="\t", index=False)
    items = [str(path.with_suffix(".tsv")) for path in paths]
    outputs = [f"--{name}={tmp_path / file}" for name, file in scores_outputs().items()]
    monkeypatch.setattr(sys, "argv", ["scores.py", "--results", *map(str, paths), "--measurements", *items, *outputs])
    scores.main()
    return tmp_path


def scores_outputs() -> dict[str, str]:
    names = {"table": "scores", "parts": "parts", "figures": "figures", "differences": "differences"}
    return {option: f"{name}.tsv" for option, name in names.items()} | {"answers": "answers.md"}


def test_files_hold_every_model_and_part(written: Path) -> None:
    table = pd.read_csv(written / "scores.tsv", sep="\t").set_index("model")
    assert table.loc["pretrained", "text_bits_per_character"] == 7.2
    assert table.loc["finetuned", "answers_ended"] == 1
    parts = pd.read_csv(written / "parts.tsv", sep="\t")
    assert len(parts) == 8
    assert set(parts["part"]) == {"novel", "writing"}
    figures = pd.read_csv(written / "figures.tsv", sep="\t").set_index(["model", "figure"])
    text = figures.loc[("pretrained", "text_bits_per_character")]
    assert text["low"] < text["value"] == 7.2 < text["high"]
    assert (text["items"], text["documents"]) == (5, 5)
    differences = pd.read_csv(written / "differences.tsv", sep="\t")
    assert len(differences) == 3 * 6  # three figures of six pairs of models


def test_answers_stand_side_by_side_as_they_are(written: Path) -> None:
    document = (written / "answers.md").read_text(encoding="utf-8")
    assert "## 问 题" in document
    for one in RESULTS:
        ending = "" if one["model"] == "finetuned" else " …"
        block = "\n".join(f"    {line}".rstrip() for line in f"{one['model']}: {ANSWER}{ending}".splitlines())
        assert block in document


def test_prompts_and_answers_command_nothing() -> None:
    answer = {"prompt": "# [x](y) <b>\x1b[2J", "answer": "\x1b]0;title\x07\n</pre>\u202e", "ended": True}
    document = scores.answers_document([{"model": "base", "answers": [answer]}])
    assert r"## \# \[x\](y) &lt;b&gt;\\x1b\[2J" in document
    assert "    \\x1b]0;title\\x07\n    </pre>\\u202e\n" in document
    assert not set(document) & {"\x1b", "\x07", "\u202e"}


def test_the_summary_says_where_the_model_is_and_what_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "results" / "evaluation" / "scores.tsv"
    table.parent.mkdir(parents=True)
    for results, folder in ((RESULTS, "sft_model"), (WITHOUT_STAGE_2, "pretrain_model")):
        scored, differences = tables(results)
        scored.to_csv(table, sep="\t", index=False)
        differences.to_csv(table.with_name("differences.tsv"), sep="\t", index=False)
        monkeypatch.setattr(sys, "argv", ["summary.py", "--folder", str(tmp_path), "--files", "my_run.yaml"])
        summary.main()
        text = capsys.readouterr().out
        assert render(scored, differences) in text
        assert f"The model is in {tmp_path / 'results' / folder};" in text
        for command in ("make chat CONFIG=my_run.yaml", "make report CONFIG=my_run.yaml"):
            assert command in text


def test_a_summary_before_the_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["summary.py", "--folder", str(tmp_path)])
    with pytest.raises(UserError, match="make run"):
        summary.main()
