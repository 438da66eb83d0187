import sys
from pathlib import Path

import polars as pl
import pytest
import signatures

from lib.deduplication import text_hashes


def test_one_row_for_each_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "一行足够长的、别的文章也会有的文字"
    documents = pl.DataFrame({"id": ["news:4", "news:0"], "text": [f"第一篇文章的文字\n{line}", "第二篇文章的文字"]})
    path, output, lines = (tmp_path / folder / "0000.parquet" for folder in (".", "signatures", "lines"))
    documents.with_columns(text_hashes(documents["text"])).write_parquet(path)
    settings = '{"near_duplicate_bands": 3, "near_duplicate_rows": 2}'
    arguments = ["--settings", settings, "--input", str(path), "--lines", str(lines), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["signatures.py", *arguments])
    signatures.main()
    frame = pl.read_parquet(output)
    assert frame["number"].to_list() == [4, 0]
    assert frame.columns[-4:] == ["signature", "band00", "band01", "band02"]
    assert frame.schema["signature"] == pl.Array(pl.UInt16, 6)
    assert pl.read_parquet(lines)["number"].to_list() == [4]
