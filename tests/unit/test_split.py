import json
import sys
from pathlib import Path

import polars as pl
import pytest
import split

from lib.deduplication import text_hashes
from lib.draws import are_held_out

HASHES = text_hashes(pl.Series([f"文件{number}" for number in range(2000)]))


def test_duplicates_go_and_the_rest_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"news:{number}" for number in range(len(HASHES))]
    (tmp_path / "clean" / "news").mkdir(parents=True)
    (tmp_path / "duplicates").mkdir()
    frame = pl.DataFrame({"id": ids, "text": "四个字符", "hash": HASHES})
    frame.write_parquet(tmp_path / "clean" / "news" / "0000.parquet")
    rules = ["exact_duplicate", "near_duplicate", "near_duplicate", "exact_duplicate"]
    duplicates = pl.DataFrame({"id": ["news:5", "news:7", "news:8", "news:9999"], "rule": rules})
    duplicates.write_parquet(tmp_path / "duplicates" / "news.parquet")
    output = tmp_path / "split" / "news" / "0000.json"
    arguments = ["--settings", '{"validation_fraction": 0.2}', "--seed", "1", "--source", "news", "--shard", "0"]
    monkeypatch.setattr(sys, "argv", ["split.py", *arguments, "--directory", str(tmp_path), "--output", str(output)])
    split.main()

    validation = pl.read_parquet(tmp_path / "validation" / "news" / "0000.parquet")
    assert validation.columns == ["id", "text"]
    held_out = {name for name, is_held_out in zip(ids, are_held_out(HASHES, 0.2, 1), strict=True) if is_held_out}
    assert set(validation["id"]) == held_out - {"news:5", "news:7", "news:8"}
    counts = json.loads(output.read_text())
    assert counts["exact_duplicate"] == {"documents": 1, "characters": 4}
    assert counts["near_duplicate"] == {"documents": 2, "characters": 8}
    assert counts["train"]["documents"] == len(ids) - 3 - len(validation)
    assert counts["validation"]["characters"] == 4 * len(validation)
