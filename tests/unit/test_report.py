"""The report from a run's files: complete, self-contained, repeatable, and safe against what data say."""

import json
import re
import sys
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
import report

from lib.core import page_templates
from lib.core.code_version import code_version
from lib.evaluation.figures import difference_table, figure_table
from lib.evaluation.items import Item
from lib.evaluation.score_table import parts_table, score_table
from lib.report.charts import Chart, Line
from lib.report.resources import read_benchmarks
from lib.report.tables import chart_summary
from lib.sweep.best import best_settings
from score_figures import figures

HOSTILE = "</style></p><script>alert(1)</script><img src=x onerror=alert(1)>&lt;\"'{{7*7}}"
BENCHMARK = "s\th:m:s\tmax_rss\n"


def evaluation(model: str, bits: float, answer: str) -> dict[str, Any]:
    return {
        "model": model,
        "text": {"overall": figures(bits), "parts": {"novel": figures(bits)}},
        "responses": {"overall": figures(bits), "parts": {HOSTILE: figures(bits)}},
        "control": None,
        "answers": [{"prompt": f"问{HOSTILE}", "answer": answer, "ended": False}],
    }


def items(bits: float) -> pd.DataFrame:
    """What was measured on six texts, and answers to as many instructions of a category that data name."""
    rows = [
        Item(name, HOSTILE, str(number), amount + 0.1 * (number - 2.5))
        for name, amount in (("text_bits_per_character", bits), ("answer_chrf", 100 / bits))
        for number in range(6)
    ]
    return pd.DataFrame([asdict(row) for row in rows])


def vocabulary() -> dict[str, Any]:
    ratios = {"bytes_per_token": 1.5, "tokens_per_chinese_character": 1.9, "whole_characters": None}
    row = {"source": HOSTILE, "characters": 100, "tokens": 186, "characters_per_token": 0.5377, **ratios}
    return {
        "sources": [
            row | {"source": source, "vocabulary": name, "characters_per_token": ratio}
            for source in (HOSTILE, "all")
            for name, ratio in (("base", 0.5377), ("extended", 0.75))
        ],
        "why_so_many": f"stage 1 reads {HOSTILE}",
        "new_tokens": 500,
        "new_tokens_used": 321,
        "longest": [HOSTILE],
        "most_frequent": [{"token": HOSTILE, "count": 7}],
        "examples": [{"source": HOSTILE, "text": HOSTILE, "base": HOSTILE, "extended": "曹操|曰"}],
    }


def training() -> dict[str, Any]:
    settings = {"rank": 16, "learning_rate": 0.001, "include_instructions": True}
    settings |= {"batch_size": 2, "gradient_accumulation": 3, "block_size": 100}
    return {"counts": {"steps": 20}, "settings": settings, "facts": {"processes": 2}}


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
    measured = {one["model"]: items(one["text"]["overall"]["bits_per_character"]) for one in results}
    figures = figure_table(measured)
    score_table(results, figures).to_csv(tmp_path / "scores.tsv", sep="\t", index=False)
    figures.to_csv(tmp_path / "figures.tsv", sep="\t", index=False)
    difference_table(measured).to_csv(tmp_path / "differences.tsv", sep="\t", index=False)
    parts_table(results).to_csv(tmp_path / "parts.tsv", sep="\t", index=False)
    reading = {"records": 373, "broken": {HOSTILE: 8}, "repaired": {}, "unread_keys": {HOSTILE: 5}}
    manifests: dict[str, dict[str, Any]] = {
        "base_model": {"facts": {"uri": HOSTILE, "license": HOSTILE}, "counts": {"parameters": 1234567}},
        "corpus": {"facts": {}, "counts": {}},
        "tokenizer": {"facts": {}, "counts": {"new_tokens": 500, "characters_per_token_base": 0.5366}},
        "pretrain": training(),
        "sft_data": {
            "facts": {"sets": ["demo"], "reading": {HOSTILE: reading}},
            "counts": {"train": 318, "validation": 47, "skipped_broken": 8},
        },
        "sft": training(),
    }
    for name, manifest in manifests.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "corpus" / "origins.json").write_text(json.dumps({"licenses": {"novel": HOSTILE}}))
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
    for folder, text in (("raw", f"一 {HOSTILE}"), ("clean", f"一{HOSTILE}")):
        (tmp_path / "corpus" / folder / "novel").mkdir(parents=True)
        document = pl.DataFrame({"id": ["novel:00000000"], "text": [text]})
        document.write_parquet(tmp_path / "corpus" / folder / "novel" / "0000.parquet")
    dropped = {"id": [HOSTILE], "rule": ["minimum_length"], "value": [7.0], "text": [HOSTILE]}
    (tmp_path / "corpus" / "dropped" / "novel").mkdir(parents=True)
    pl.DataFrame(dropped).write_parquet(tmp_path / "corpus" / "dropped" / "novel" / "0000.parquet")
    record = {"id": HOSTILE, "source": HOSTILE, "category": HOSTILE}
    spans = [{"text": HOSTILE, "trained": trained} for trained in (False, True)]
    skipped = {"reason": HOSTILE, "messages": [{"role": "user", "content": HOSTILE}]}
    (tmp_path / "sft_data" / "train.jsonl").write_text(json.dumps(record | {"spans": spans}) + "\n")
    (tmp_path / "sft_data" / "skipped.jsonl").write_text(json.dumps(record | skipped) + "\n")
    (tmp_path / "summary.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "benchmarks" / "clean" / "novel").mkdir(parents=True)
    (tmp_path / "benchmarks" / "pretrain.tsv").write_text(BENCHMARK + "212.5\t0:03:32\t2900.5\n")
    (tmp_path / "benchmarks" / "clean" / "novel" / "0000.tsv").write_text(BENCHMARK + "0.4\t0:00:00\t-\n")
    (tmp_path / "benchmarks" / "clean" / "novel" / "0001.tsv").write_text(BENCHMARK + "1.5\t0:00:01\t80\n")
    return tmp_path


def write_report(
    files: Path, monkeypatch: pytest.MonkeyPatch, *without: str, name: str = "first", sweep: Path | None = None
) -> str:
    """The page; `without` names options that are left out, as for a run that lacks these stages."""
    settings = {"base_model": {"uri": f"models/{HOSTILE}"}, "evaluation": {"prompts": [HOSTILE]}}
    options: dict[str, list[str]] = {
        "scores": [str(files / "scores.tsv")],
        "parts": [str(files / "parts.tsv")],
        "figures": [str(files / "figures.tsv")],
        "differences": [str(files / "differences.tsv")],
        "origins": [str(files / "corpus" / "origins.json")],
        "summary": [str(files / "summary.tsv")],
        "evaluations": [str(files / f"{model}.json") for model in ("finetuned", "base", "pretrained")],
    }
    options |= {stage: [str(files / stage / "manifest.json")] for stage in report.STAGES}
    arguments = ["--settings", json.dumps(settings), "--name", name]
    for option, values in options.items():
        arguments += [f"--{option.replace('_', '-')}", *([] if option in without else values)]
    arguments += [
        "--benchmarks",
        str(files / "benchmarks"),
        *("--rules", "clean", "pretrain"),
        *("--sources", "novel"),
        "--output",
        str(files / "report.html"),
    ]
    if sweep:
        arguments += ["--sweep", str(sweep)]
    monkeypatch.setattr(sys, "argv", ["report.py", *arguments])
    report.main()
    return (files / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """What a browser makes of a page: elements, attributes, text, scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.data: list[str] = []
        self.styles = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            (self.data if ("type", "application/json") in attrs else self.scripts).append("")
            self.into = self.data if attrs else self.scripts
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.into[-1] += data
        elif self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.text += data


def test_hostile_text_is_shown_and_does_nothing(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Reader(write_report(run_files, monkeypatch, name=HOSTILE))
    assert not {"img", "link", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.open == []
    assert len(page.scripts) == 2  # the chart library and what draws with it
    assert not any(HOSTILE in script for script in page.scripts)
    # Name, answer, prompt, address three times, two licences, category, source, samples and what is said of them.
    assert page.text.count(HOSTILE) >= 25


def test_charts_get_their_data_as_data(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    charts = [json.loads(data) for data in Reader(write_report(run_files, monkeypatch)).data]
    assert len(charts) == 2
    for chart in charts:
        assert chart["x"] == [10]
        assert [(line["label"], line["y"]) for line in chart["lines"]] == [("training", [3.5]), ("validation", [3.6])]


def test_a_stage_that_is_worse_than_its_start_is_named(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "never beat its start" not in Reader(write_report(run_files, monkeypatch)).text
    path = run_files / "sft" / "manifest.json"
    losses = {"validation_loss_at_start": 5.9, "best_validation_loss": 40.6}
    path.write_text(json.dumps(training() | {"counts": losses, "facts": {"worse_than_start": True}}))
    assert "Instruction tuning never beat its start" in Reader(write_report(run_files, monkeypatch)).text


def test_the_data_of_a_chart_cannot_end_its_script() -> None:
    chart = Chart(HOSTILE, HOSTILE, HOSTILE, [Line(HOSTILE, [1], [2.0])])
    macros = {"macros": "macros.html.jinja", "chart": chart, "summary": chart_summary(chart)}
    page = Reader(
        page_templates._environment(True)
        .from_string("{% from macros import chart as draw %}{{ draw(chart, summary) }}")
        .render(macros)
    )
    assert page.open == []
    assert json.loads(page.data[0])["lines"][0]["label"] == HOSTILE
    assert page.scripts == []


def test_the_page_needs_nothing_else(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Reader(write_report(run_files, monkeypatch))
    linked = [value or "" for name, value in page.attributes if name in {"src", "href", "xlink:href", "action"}]
    assert linked
    assert all(value.startswith("#") for value in linked)
    assert "@import" not in page.styles
    assert "url(" not in page.styles


def test_every_link_in_the_page_has_its_target(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Reader(write_report(run_files, monkeypatch))
    targets = {f"#{value}" for name, value in page.attributes if name == "id"}
    assert {value for name, value in page.attributes if name == "href"} <= targets


def test_the_figures_of_every_stage_are_there(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Reader(write_report(run_files, monkeypatch))
    for expected in (
        "run first",
        f"code {code_version()}",
        "−20.0 %",  # held-out text against the base
        "7.200",
        "bits per character ↓ lower is better",
        "刘备、关羽、张飞",
        "1,234,567 parameters",
        "500 new tokens",
        "text that stage 1 reads in its steps (24,000 tokens), in characters",
        "12,900",
        "18,000",
        "0.538",
        "曹操|曰",
        "318 to train on, 47 held out; read in pretraining, too",
        "−2,468",  # what minimum_length dropped of both sources
        f"{len(HOSTILE) + 2} → {len(HOSTILE) + 1} characters",
        "7 characters",
        "3.6 min",  # all jobs
        "3.5 min",
        "2,900",
    ):
        assert expected in " ".join(page.text.split()), expected
    marked = page.tags
    assert (marked.count("del"), marked.count("mark")) == (1, 2)  # a space; the word in the legend and the answer


def test_the_same_run_gives_the_same_page_but_for_its_date(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (
        re.sub(r"report written \d{4}-\d\d-\d\d \d\d:\d\d UTC", "", write_report(run_files, monkeypatch)) for _ in "12"
    )
    assert one == other
    assert "report written" not in one


@pytest.mark.parametrize(
    ("without", "headings"),
    [
        (("scores", "parts", "evaluations"), {"Scores", "Sample answers"}),
        (("pretrain",), set()),
        (("pretrain", "sft"), {"Training"}),
        (("corpus", "summary", "tokenizer"), {"Corpus", "Tokenizer"}),
        (("sft", "sft_data"), {"Instructions"}),
    ],
)
def test_a_run_may_lack_stages(
    run_files: Path, monkeypatch: pytest.MonkeyPatch, without: tuple[str, ...], headings: set[str]
) -> None:
    whole, part = (headings_of(write_report(run_files, monkeypatch, *options)) for options in ((), without))
    assert part == [heading for heading in whole if heading not in headings]
    assert headings < set(whole)


def headings_of(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_settings_that_differ_stand_beside_their_defaults(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = " ".join(write_report(run_files, monkeypatch).split())
    changed = page[page.index("Those that differ") : page.index("All settings")]
    assert re.findall(r"<tr><td><code>([^<]*)</code>", changed) == ["base_model.uri", "evaluation.prompts"]


def test_a_sweep_is_summed_up_and_linked(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Experiments" not in headings_of(write_report(run_files, monkeypatch))
    best = run_files / "sweep" / "best.yaml"
    best.parent.mkdir()
    best.write_text(best_settings("first", {"pretrain.rank": 8}, f"point 3 ({HOSTILE}) is better"), encoding="utf-8")
    page = Reader(write_report(run_files, monkeypatch, sweep=best))
    assert f"Point 3 ({HOSTILE}) is better." in page.text
    assert ("href", "sweep/report.html") in page.attributes


def test_benchmarks_may_be_missing(run_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (run_files / "benchmarks").rglob("*.tsv"):
        path.unlink()
    assert "Time and memory" not in headings_of(write_report(run_files, monkeypatch))


def test_jobs_of_a_rule_are_taken_together(run_files: Path) -> None:
    rows = read_benchmarks(run_files / "benchmarks", ["clean", "pretrain"], ["novel"], 2, []).set_index("rule")
    assert list(rows.index) == ["pretrain", "clean"]
    assert rows.loc["clean", ["seconds", "jobs", "megabytes"]].tolist() == pytest.approx([1.9, 2, 80])


def test_jobs_of_sources_shards_models_and_rules_that_are_gone_do_not_count(run_files: Path) -> None:
    benchmarks = run_files / "benchmarks"
    ours = (["clean", "evaluate", "fetch", "pretrain"], ["novel"], 2, ["base"])
    before = read_benchmarks(benchmarks, *ours)
    for name in ("clean/old/0000", "fetch/old", "clean/novel/0002", "evaluate/other", "sweep_sft/0a1b", "held_out"):
        path = benchmarks / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BENCHMARK + "4110\t1:08:30\t900\n")
    assert read_benchmarks(benchmarks, *ours).equals(before)
    (benchmarks / "evaluate" / "base.tsv").write_text(BENCHMARK + "3\t0:00:03\t900\n")
    assert "evaluate" in set(read_benchmarks(benchmarks, *ours)["rule"])
