import json
import sys
from pathlib import Path
from typing import Any

import held_out
import polars as pl
import pytest

from lib.core.errors import UserError
from lib.corpus.duplicates.contamination import Contamination, Index

TEXTS = [
    "大江东去浪淘尽千古风流人物",
    "问君能有几多愁恰似一江春水",
    "春花秋月何时了往事知多少",
    "小楼昨夜又东风故国不堪回首",
]


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *benchmarks: str, reading: str = "{}") -> dict[str, Any]:
    """Index a shard and a set of instructions with a broken record beside the `benchmarks`; returns the manifest."""
    (tmp_path / "validation" / "news").mkdir(parents=True)
    shard = pl.DataFrame({"id": ["news:00000001"], "text": [TEXTS[0]]})
    shard.write_parquet(tmp_path / "validation" / "news" / "0000.parquet")
    records = [{"instruction": ""}, {"instruction": "续写", "input": TEXTS[1], "output": TEXTS[2]}]
    instructions = tmp_path / "demo.jsonl"
    instructions.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    output = tmp_path / "held_out" / "manifest.json"
    sets = json.dumps([{"name": "demo", "uri": str(instructions), "sha256": ""}])
    arguments = ["--settings", '{"decontamination_ngram": 10}', "--reading", reading, "--sources", "news"]
    arguments += ["--shards", "1", "--sets", sets, "--directory", str(tmp_path)]
    arguments += ["--downloads", str(tmp_path / "downloads"), "--benchmarks", *benchmarks, "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["held_out.py", *arguments])
    held_out.main()
    return dict(json.loads(output.read_text(encoding="utf-8")))


def test_validation_instructions_and_benchmarks_are_indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ceval.txt").write_text(TEXTS[3], encoding="utf-8")
    manifest = run(tmp_path, monkeypatch, str(tmp_path / "ceval.txt"))
    found = Contamination(Index.load(tmp_path / "held_out"), 10)(pl.Series(TEXTS))
    demo = "instructions/demo:00000001"
    assert found["held_out"].to_list() == ["news:00000001", demo, demo, f"{tmp_path / 'ceval.txt'}:0"]
    assert manifest["counts"]["texts"] == 4


@pytest.mark.parametrize("name", ["b.jsonl", "b.ndjson"])
def test_escaped_text_is_caught_whatever_the_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).write_text(json.dumps({"question": TEXTS[3]}), encoding="ascii")
    run(tmp_path, monkeypatch, str(tmp_path / "b.*"))
    found = Contamination(Index.load(tmp_path / "held_out"), 10)(pl.Series(TEXTS[3:]))
    assert found["held_out"].to_list() == [f"{tmp_path / name}:0"]


def test_broken_records_of_benchmarks_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ceval.jsonl"
    path.write_text(json.dumps(TEXTS[3]) + "\n{", encoding="utf-8")
    manifest = run(tmp_path, monkeypatch, str(path))
    assert manifest["counts"]["quarantined"] == 1
    assert (
        f"1 records of benchmarks in quarantine; the first one: {path}, line 2: broken JSON" in capsys.readouterr().out
    )
    (row,) = pl.read_parquet(tmp_path / "held_out" / "quarantine.parquet").to_dicts()
    assert (row["file"], row["position"], row["text"]) == (str(path), "line 2", "{")


@pytest.mark.parametrize(
    ("content", "reading", "message"),
    [
        ('"a"\n{', '{"on_broken_record": "stop"}', r"corpus\.benchmarks: .*ceval\.jsonl, line 2: broken JSON"),
        ("{", "{}", r"corpus\.benchmarks: .*ceval\.jsonl: no record can be read; the first one: line 1: broken JSON"),
    ],
)
def test_benchmarks_that_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, reading: str, message: str
) -> None:
    (tmp_path / "ceval.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        run(tmp_path, monkeypatch, str(tmp_path / "ceval.jsonl"), reading=reading)


def test_a_benchmark_without_a_known_ending_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ceval.dat").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"corpus\.benchmarks: .*ceval\.dat: cannot tell the format from the name"):
        run(tmp_path, monkeypatch, str(tmp_path / "ceval.dat"))
