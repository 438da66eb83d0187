import sys
from pathlib import Path

import polars as pl
import pytest
import signatures

from lib.deduplication import text_hashes


def test_one_row_for_each_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = pl.DataFrame({"id": ["news:4", "news:0"], "text": ["第一篇文章的文字", "第二篇文章的文字"]})
    path, output = tmp_path / "0000.parquet", tmp_path / "signatures" / "0000.parquet"
    documents.with_columns(text_hashes(documents["text"])).write_parquet(path)
    settings = '{"near_duplicate_bands": 3, "near_duplicate_rows": 2}'
    arguments = ["--settings", settings, "--input", str(path), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["signatures.py", *arguments])
    signatures.main()
    frame = pl.read_parquet(output)
    assert frame["number"].to_list() == [4, 0]
    assert frame.columns[-4:] == ["signature", "band00", "band01", "band02"]
    assert frame.schema["signature"] == pl.Array(pl.UInt16, 6)
