import json
import sys
from pathlib import Path

import clean
import polars as pl
import pytest


def test_keeps_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "raw" / "news" / "0003.parquet"
    raw.parent.mkdir(parents=True)
    pl.DataFrame({"id": ["news:3", "news:7"], "text": ["<p>很短</p>", "<p>这个文件够长</p>"]}).write_parquet(raw)
    output = tmp_path / "clean" / "news" / "0003.json"
    arguments = ["--settings", '{"minimum_length": 5}', "--source", "news", "--shard", "3"]
    monkeypatch.setattr(sys, "argv", ["clean.py", *arguments, "--directory", str(tmp_path), "--output", str(output)])
    clean.main()

    kept = pl.read_parquet(tmp_path / "clean" / "news" / "0003.parquet")
    assert kept.columns == ["id", "text", "hash"]
    assert kept.select("id", "text").rows() == [("news:7", "这个文件够长")]
    dropped = pl.read_parquet(tmp_path / "dropped" / "news" / "0003.parquet")
    assert dropped.rows(named=True) == [{"id": "news:3", "rule": "minimum_length", "value": 2.0, "text": "很短"}]
    counts = json.loads(output.read_text())
    assert counts["strip_html"]["documents_changed"] == 2
    assert counts["minimum_length"]["documents_dropped"] == 1
