import json
import sys
from pathlib import Path

import held_out
import polars as pl
import pytest

from lib.corpus.duplicates.contamination import Contamination, Index

TEXTS = [
    "大江东去浪淘尽千古风流人物",
    "问君能有几多愁恰似一江春水",
    "春花秋月何时了往事知多少",
    "小楼昨夜又东风故国不堪回首",
]


def test_validation_instructions_and_benchmarks_are_indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "validation" / "news").mkdir(parents=True)
    shard = pl.DataFrame({"id": ["news:00000001"], "text": [TEXTS[0]]})
    shard.write_parquet(tmp_path / "validation" / "news" / "0000.parquet")
    record = {"instruction": "续写", "input": TEXTS[1], "output": TEXTS[2]}
    instructions = tmp_path / "demo.jsonl"
    instructions.write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / "ceval.txt").write_text(TEXTS[3], encoding="utf-8")
    output = tmp_path / "held_out" / "manifest.json"
    sets = json.dumps([{"name": "demo", "uri": str(instructions), "sha256": ""}])
    arguments = ["--settings", '{"decontamination_ngram": 10}', "--sources", "news", "--shards", "1", "--sets", sets]
    arguments += ["--directory", str(tmp_path), "--downloads", str(tmp_path / "downloads")]
    arguments += ["--benchmarks", str(tmp_path / "ceval.txt"), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["held_out.py", *arguments])
    held_out.main()

    found = Contamination(Index.load(output.parent), 10)(pl.Series(TEXTS))
    demo = "instructions/demo:00000000"
    assert found["held_out"].to_list() == ["news:00000001", demo, demo, f"{tmp_path / 'ceval.txt'}:0"]
    assert json.loads(output.read_text(encoding="utf-8"))["counts"]["texts"] == 4
