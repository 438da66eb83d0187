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


def test_the_result_does_not_depend_on_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"<p>这是第{number}个文件</p>" * (number % 3) for number in range(50)]
    documents = pl.DataFrame({"id": [f"news:{number}" for number in range(50)], "text": texts})
    results = []
    for batch in (1, 1 << 25):
        directory = tmp_path / str(batch)
        raw = directory / "raw" / "news" / "0000.parquet"
        raw.parent.mkdir(parents=True)
        documents.write_parquet(raw, row_group_size=7)
        monkeypatch.setattr("lib.shard_batches.BATCH_BYTES", batch)
        output = directory / "clean" / "news" / "0000.json"
        arguments = ["--settings", '{"minimum_length": 10}', "--source", "news", "--shard", "0"]
        monkeypatch.setattr(
            sys, "argv", ["clean.py", *arguments, "--directory", str(directory), "--output", str(output)]
        )
        clean.main()
        frames = [pl.read_parquet(directory / folder / "news" / "0000.parquet") for folder in ("clean", "dropped")]
        results.append((frames[0].rows(), frames[1].rows(), json.loads(output.read_text())))
    assert results[0] == results[1]
    assert (len(results[0][0]), len(results[0][1])) == (16, 34)


def test_an_empty_shard_gives_empty_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "raw" / "news" / "0000.parquet"
    raw.parent.mkdir(parents=True)
    pl.DataFrame(schema={"id": pl.String, "text": pl.String}).write_parquet(raw)
    output = tmp_path / "clean" / "news" / "0000.json"
    arguments = ["--settings", "{}", "--source", "news", "--shard", "0"]
    monkeypatch.setattr(sys, "argv", ["clean.py", *arguments, "--directory", str(tmp_path), "--output", str(output)])
    clean.main()
    assert pl.read_parquet(tmp_path / "clean" / "news" / "0000.parquet").columns == ["id", "text", "hash"]
    assert pl.read_parquet(tmp_path / "dropped" / "news" / "0000.parquet").columns == ["id", "rule", "value", "text"]
    assert json.loads(output.read_text())["minimum_length"]["documents_in"] == 0
