"""The report from a run's files: complete, self-contained, repeatable, and safe against what models write."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import report

from lib.evaluation.score_table import parts_table, score_table
from lib.report.sections import duration, figure_text, read_benchmarks

HOSTILE = "</style></p><script>alert(1)</script><img src=x onerror=alert(1)>&lt;\"'{{7*7}}"
BENCHMARK = "s\th:m:s\tmax_rss\n"


def figures(bits: float) -> dict[str, float | int]:
    return {
        "bits_per_character": bits,
        "bits_per_byte": bits / 3,
        "characters_per_token": 0.5,
        "characters": 100,
        "bytes": 300,
        "tokens": 200,
    }


def evaluation(model: str, bits: float, answer: str) -> dict[str, Any]:
    return {
        "model": model,
        "text": {"overall": figures(bits), "parts": {"novel": figures(bits)}},
        "responses": {"overall": figures(bits), "parts": {HOSTILE: figures(bits)}},
        "control": None,
        "answers": [{"prompt": f"问{HOSTILE}", "answer": answer, "ended": False}],
    }


def vocabulary() -> dict[str, Any]:
    ratios = {"bytes_per_token": 1.5, "tokens_per_chinese_character": 1.9, "whole_characters": None}
    row = {"source": HOSTILE, "characters": 100, "tokens": 186, "characters_per_token": 0.5377, **ratios}
    return {
        "sources": [row | {"vocabulary": name} for name in ("base", "extended")],
        "new_tokens": 500,
        "new_tokens_used": 321,
        "longest": [HOSTILE],
        "most_frequent": [{"token": HOSTILE, "count": 7}],
        "examples": [{"source": HOSTILE, "text": HOSTILE, "base": HOSTILE, "extended": "曹操|曰"}],
    }


def training() -> dict[str, Any]:
    settings = {"rank": 16, "learning_rate": 0.001, "include_instructions": True}
    return {"counts": {"steps": 20}, "settings": settings, "facts": {}}


@pytest.fixture
def run_files(tmp_path: Path) -> Path:
    """What a run leaves behind, as small as it can be, with hostile text wherever data comes in."""
    results = [
        evaluation(model, bits, answer)
        for model, bits, answer in (
            ("base", 9.0, HOSTILE),
            ("pretrained", 7.2, ""),
            ("finetuned", 6.0, "刘备、关羽、张飞"),
        )
    ]
    for result in results:
        (tmp_path / f"{result['model']}.json").write_text(json.dumps(result))
    score_table(results).to_csv(tmp_path / "scores.tsv", sep="\t", index=False)
    parts_table(results).to_csv(tmp_path / "parts.tsv", sep="\t", index=False)
    manifests: dict[str, dict[str, Any]] = {
        "base_model": {"facts": {"uri": HOSTILE, "license": HOSTILE}, "counts": {"parameters": 1234567}},
        "corpus": {"facts": {"licenses": {"novel": HOSTILE}}, "counts": {}},
        "tokenizer": {"facts": {}, "counts": {"new_tokens": 500, "characters_per_token_base": 0.5366}},
        "pretrain": training(),
        "sft_data": {"facts": {"sets": ["demo"]}, "counts": {"train": 318, "validation": 47}},
        "sft": training(),
    }
    for name, manifest in manifests.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "tokenizer" / "report.json").write_text(json.dumps(vocabulary()))
    for name in ("pretrain", "sft"):
        (tmp_path / name / "trainer_log.tsv").write_text("step\tloss\teval_loss\n10\t3.5\t\n10\t\t3.6\n")
    units = [f"{unit}_{what}" for unit in ("documents", "characters") for what in ("in", "changed", "dropped", "out")]
    lines = ["\t".join(["source", "step", "rule", *units])]
    for source in ("novel", HOSTILE):
        lines.append(f"{source}\tfetch\tread\t120\t0\t0\t120\t9000\t0\t0\t9000")
        lines.append(f"{source}\tclean\tminimum_length\t120\t0\t7\t113\t9000\t0\t1234\t7766")
        lines.append(f"{source}\tclean\tcustom:{HOSTILE}\t113\t1\t0\t113\t7766\t0\t0\t7766")
        lines.append(f"{source}\tsplit\tvalidation\t10\t0\t0\t10\t766\t0\t0\t766")
        lines.append(f"{source}\tsplit\ttrain\t103\t0\t0\t103\t7000\t0\t0\t7000")
        lines.append(f"{source}\tmix\trepeat\t103\t0\t0\t103\t7000\t0\t0\t7000")
    (tmp_path / "summary.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "benchmarks" / "clean" / "novel").mkdir(parents=True)
    (tmp_path / "benchmarks" / "pretrain.tsv").write_text(BENCHMARK + "212.5\t0:03:32\t2900.5\n")
    (tmp_path / "benchmarks" / "clean" / "novel" / "0000.tsv").write_text(BENCHMARK + "0.4\t0:00:00\t-\n")
    (tmp_path / "benchmarks" / "clean" / "novel" / "0001.tsv").write_text(BENCHMARK + "1.5\t0:00:01\t80\n")
    return tmp_path


def write_report(files: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    settings = {"base_model": {"uri": f"models/{HOSTILE}"}, "evaluation": {"prompts": [HOSTILE]}}
    arguments = ["--settings", json.dumps(settings)]
    arguments += ["--evaluations", *(str(files / f"{model}.json") for model in ("finetuned", "base", "pretrained"))]
    for stage in report.STAGES:
        arguments += [f"--{stage.replace('_', '-')}", str(files / stage / "manifest.json")]
    for flag, name in (("scores", "scores.tsv"), ("parts", "parts.tsv"), ("summary", "summary.tsv")):
        arguments += [f"--{flag}", str(files / name)]
    arguments += ["--benchmarks", str(files / "benchmarks"), "--output", str(files / "report.html")]
    monkeypatch.setattr(sys, "argv", ["report.py", *arguments])
    report.main()
    return (files / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_is_shown_and_does_nothing(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Reader(write_report(run_files, monkeypatch))
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.open == []
    # answer, two prompts (heading, settings), address twice, licences twice, category, source
    assert page.text.count(HOSTILE) >= 8


def test_the_page_needs_nothing_else(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Reader(write_report(run_files, monkeypatch))
    linked = [value or "" for name, value in page.attributes if name in {"src", "href", "xlink:href"}]
    assert all(value.startswith("#") for value in linked)
    assert "@import" not in page.text
    assert not re.search(r"url\((?!#)", page.text)


def test_the_same_run_gives_the_same_bytes(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_report(run_files, monkeypatch) == write_report(run_files, monkeypatch)


def test_the_figures_of_every_stage_are_there(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Reader(write_report(run_files, monkeypatch))
    for expected in (
        "−20.0 %",  # held-out text against the base
        "7.200",
        "刘备、关羽、张飞",
        "1,234,567 parameters",
        "500 new tokens",
        "0.538",
        "曹操|曰",
        "318 to train on, 47 held out; read in pretraining, too",
        "−2,468 characters",
        "3.5 min",
        "2,900 MB",
    ):
        assert expected in page.text, expected
    assert page.tags.count("svg") == 2 + 3 * 4  # two curves; a funnel of four slices for each source and for both


def test_benchmarks_may_be_missing(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (run_files / "benchmarks").rglob("*.tsv"):
        path.unlink()
    assert "Time and memory" not in write_report(run_files, monkeypatch)


def test_jobs_of_a_rule_are_taken_together(run_files: Path) -> None:
    rows = read_benchmarks(run_files / "benchmarks").set_index("rule")
    assert list(rows.index) == ["pretrain", "clean"]
    assert rows.loc["clean", ["seconds", "jobs", "megabytes"]].tolist() == pytest.approx([1.9, 2, 80])


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (212.5, "3.5 min"), (7200, "2.0 h")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (float("nan"), "–"), (1234, "1,234"), (0.53661, "0.537"), ("bf16", "bf16")]
)
def test_figures_read_well(value: object, text: str) -> None:
    assert figure_text(value) == text
