from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from lib.corpus.storage import batches
from lib.corpus.storage.batches import TableWriter

SCHEMA = pa.schema([("name", pa.string()), ("size", pa.int64())])


def test_rows_are_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 3)
    with TableWriter(tmp_path / "a.parquet", SCHEMA) as table:
        for size in range(7):
            table.add({"name": f"第{size}", "size": size})
    assert pl.read_parquet(tmp_path / "a.parquet").rows() == [(f"第{size}", size) for size in range(7)]


def test_no_rows_and_rows_with_gaps(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "a.parquet", SCHEMA):
        pass
    assert pl.read_parquet(tmp_path / "a.parquet").schema == {"name": pl.String, "size": pl.Int64}
    with TableWriter(tmp_path / "a.parquet", SCHEMA) as table:
        table.add({"name": "file\udcff.txt"})
    assert pl.read_parquet(tmp_path / "a.parquet").rows() == [("file?.txt", None)]
