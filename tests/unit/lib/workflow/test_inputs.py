"""Sheets and local files of a run."""

from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import UserError
from lib.settings.base import validate
from lib.settings.base_model import BaseModelSettings
from lib.settings.pipeline import PipelineSettings
from lib.sources import contents
from lib.workflow.inputs import Inputs, read_inputs

OFF = {"enabled": False}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model/config.json", "model/notes.pdf", "mine/tokenizer.json", "a.jsonl", "b.jsonl", "control.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "corpus.tsv").write_text("name\turi\treplay\na\ta.jsonl\t\nb\tb.jsonl\t0.1\n", encoding="utf-8")
    (tmp_path / "sets.tsv").write_text("name\turi\nb\tb.jsonl\nremote\thttps://host/c.jsonl\n", encoding="utf-8")


def inputs(**sections: Any) -> Inputs:
    given = {"base_model": {"uri": "model"}, "corpus": {"sources": "corpus.tsv"}, "sft": {"sources": "sets.tsv"}}
    return read_inputs(validate(PipelineSettings, given | sections))


def test_rows_and_files_of_what_is_here() -> None:
    found = inputs(evaluation={"control": "control.txt", "prompts": ["谁？"]})
    assert list(found.corpus) == ["a", "b"]
    assert found.replay == {"b": 0.1}
    assert found.corpus_files == {"a": ["a.jsonl"], "b": ["b.jsonl"]}
    assert list(found.instructions) == ["b", "remote"]
    assert {key: files for key, files in found.files.items() if files} == {
        "base_model.uri": ["model/config.json"],
        "evaluation.control": ["control.txt"],
        "sft.sources": ["b.jsonl"],
    }


def test_sheets_of_stages_that_are_off_are_not_read() -> None:
    found = inputs(
        corpus={"sources": "nowhere.tsv", **OFF},
        pretrain=OFF,
        tokenizer={"uri": "mine"},
        sft={"sources": "nowhere.tsv", **OFF},
    )
    assert (found.corpus, found.instructions, found.replay) == ({}, {}, {})
    assert found.files["tokenizer.uri"] == ["mine/tokenizer.json"]


def test_what_rules_watch_of_an_address_is_what_lies_there(tmp_path: Path) -> None:
    found = inputs()
    assert found.named("base_model.uri", "sft.sources") == found.watched_files("a") == []
    source, rows = found.source("a"), found.rows("sft.sources")
    settings = found.settings(BaseModelSettings(uri="model"), "base_model.uri")
    (tmp_path / "moved").mkdir()
    (tmp_path / "model").rename(tmp_path / "moved" / "model")
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").rename(tmp_path / "moved" / f"{name}.jsonl")
    (tmp_path / "corpus.tsv").write_text("name\turi\treplay\na\tmoved/a.jsonl\t\nb\tmoved/b.jsonl\t0.1\n")
    (tmp_path / "sets.tsv").write_text("name\turi\nb\tmoved/b.jsonl\nremote\thttps://host/c.jsonl\n")
    moved = inputs(base_model={"uri": "moved/model"})
    assert (moved.source("a"), moved.rows("sft.sources")) == (source, rows)
    assert moved.settings(BaseModelSettings(uri="moved/model"), "base_model.uri") == settings
    (tmp_path / "moved" / "a.jsonl").write_text("changed", encoding="utf-8")
    assert moved.source("a") != source


def test_many_files_are_left_to_snakemake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "KNOWN_BYTES", 1)
    found = inputs()
    assert found.named("base_model.uri", "sft.sources") == ["model/config.json", "b.jsonl"]
    assert found.watched_files("a") == ["a.jsonl"]
    assert found.source("a") == found.corpus["a"]


@pytest.mark.parametrize("name", ["{x}.jsonl", "a{1}.jsonl", "a\nb.jsonl"])
def test_files_of_odd_names_are_watched_by_a_fingerprint(tmp_path: Path, name: str) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / name).write_text("{}", encoding="utf-8")
    (tmp_path / "odd" / "全角　\"quoted'.jsonl").write_text("{}", encoding="utf-8")
    (tmp_path / "corpus.tsv").write_text("name\turi\na\todd\n", encoding="utf-8")
    found = inputs(evaluation={"control": "odd"})
    assert len(found.corpus_files["a"]) == 2
    assert found.named("evaluation.control") == ["odd/全角　\"quoted'.jsonl"]
    before = found.others("evaluation.control")
    assert before
    assert found.others("base_model.uri") == ""
    (tmp_path / "odd" / name).write_text("changed", encoding="utf-8")
    assert found.others("evaluation.control") != before


@pytest.mark.parametrize(
    ("sections", "where"),
    [
        ({"pretrain": {"uri": "other"}}, r"settings: pretrain.uri: other/config.json: .*bert"),
        ({"pretrain": {"uri": "gone"}}, "settings: pretrain.uri: gone"),
        ({"tokenizer": {"uri": "gone"}}, "settings: tokenizer.uri: gone"),
        ({"tokenizer": {"words": "gone"}}, "settings: tokenizer.words: gone"),
        ({"corpus": {"sources": "corpus.tsv", "benchmarks": ["gone"]}}, "settings: corpus.benchmarks: gone"),
        (
            {"corpus": {"sources": "corpus.tsv", "good_examples": ["control.txt"], "bad_examples": ["gone"]}},
            "settings: corpus.bad_examples: gone",
        ),
        (
            {"corpus": {"sources": "corpus.tsv", "good_examples": ["control.txt"]}},
            "settings: corpus.bad_examples: quality is learned from both; good_examples are given",
        ),
        (
            {"corpus": {"sources": "corpus.tsv", "bad_examples": ["control.txt"]}},
            "settings: corpus.good_examples: quality is learned from both; bad_examples are given",
        ),
        ({"evaluation": {"control": "gone"}}, "settings: evaluation.control: gone"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_key(sections: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError, match=where):
        inputs(**sections)
