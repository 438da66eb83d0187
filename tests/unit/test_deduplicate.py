import sys
from pathlib import Path

import deduplicate
import polars as pl
import pytest


def test_looks_at_all_shards_of_the_sources_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = {
        "books/0000": [("books:0", "x")],
        "books/0001": [("books:1", "y")],
        "news/0000": [("news:0", "y"), ("news:2", "z")],
        "news/0001": [("news:1", "z")],
    }
    for name, rows in shards.items():
        path = tmp_path / "clean" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows, schema=["id", "hash"], orient="row").with_columns(text=pl.lit("文")).write_parquet(path)
    output = tmp_path / "duplicates" / "news.parquet"
    arguments = ["--sources", "books", "news", "--shards", "2", "--directory", str(tmp_path), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["deduplicate.py", *arguments])
    deduplicate.main()
    assert pl.read_parquet(output).rows(named=True) == [
        {"id": "news:0", "duplicate_of": "books:1"},
        {"id": "news:2", "duplicate_of": "news:1"},
    ]
