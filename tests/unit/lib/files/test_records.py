"""Records of every format, the same from each, and the place and reason of the broken ones."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lib.core.errors import UserError
from lib.files.formats import RECORDS, format_of
from lib.files.records import Record, read_records
from lib.files.text_files import Broken, Seen, TextFile
from lib.settings.corpus import ReadingLimits

VALUES = [{"instruction": "问", "output": "答，\n“对”"}, {"instruction": "a", "output": "b"}]


def read(path: Path, file_format: str = "", **limits: Any) -> list[Record | Broken]:
    return list(read_records(TextFile(path, Seen(), ReadingLimits(**limits)), file_format or str(format_of(path))))


def write(path: Path) -> Path:
    match format_of(path):
        case "json":
            path.write_text(json.dumps(VALUES, ensure_ascii=False), encoding="gb18030")
        case "jsonl":
            path.write_bytes(gzip.compress("".join(json.dumps(record) + "\n\n" for record in VALUES).encode()))
        case "csv" | "tsv" as kind:
            pl.DataFrame(VALUES).write_csv(path, separator="," if kind == "csv" else "\t")
        case "parquet":
            pl.DataFrame(VALUES).write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        ("a.json", ("record 1", "record 2")),
        ("a.jsonl.gz", ("line 1", "line 3")),
        ("a.ndjson", ("line 1", "line 3")),
        ("a.csv", ("line 2", "line 4")),
        ("a.tsv", ("line 2", "line 4")),
        ("a.parquet", ("record 1", "record 2")),
    ],
)
def test_every_format_gives_the_same(tmp_path: Path, name: str, positions: tuple[str, str]) -> None:
    found = read(write(tmp_path / name))
    assert found == [Record(position, value) for position, value in zip(positions, VALUES, strict=True)]


@pytest.mark.parametrize("file_format", RECORDS)
def test_empty_files_hold_no_records(tmp_path: Path, file_format: str) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert read(tmp_path / "a", file_format) == []


@pytest.mark.parametrize(
    ("name", "content", "position", "reason", "others"),
    [
        ("a.jsonl", b'{"a": \n{"a": 1}\n', "line 1", "broken JSON", [{"a": 1}]),
        ("a.json", b'[{"a": 1}, {"a" 2}]', "record 2", "broken JSON", [{"a": 1}]),
        ("a.csv", b"a,b\n1\n1,2\n", "line 2", "1 cells, but the header names 2 columns", [{"a": "1", "b": "2"}]),
        ("a.csv", b'a,b\n1,2\n1,"2\n', "line 3", "is a quotation mark not closed", [{"a": "1", "b": "2"}]),
    ],
)
def test_a_broken_record_costs_itself_alone(
    tmp_path: Path, name: str, content: bytes, position: str, reason: str, others: list[Any]
) -> None:
    (tmp_path / name).write_bytes(content)
    found = read(tmp_path / name)
    (broken,) = (one for one in found if isinstance(one, Broken))
    assert broken.position == position
    assert reason in broken.reason
    assert [one.value for one in found if isinstance(one, Record)] == others


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'[{"a": 1},', r"a\.json: broken JSON after record 1"),
        ("a.csv", b"a,a\n1,2\n", r"a\.csv, line 1: the column 'a' stands twice"),
        ("a.parquet", b"PAR1", r"a\.parquet: not a Parquet file"),
    ],
)
@pytest.mark.fault
def test_files_that_are_broken_as_a_whole(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read(tmp_path / name)


def test_records_that_are_too_long(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"a": "b" * 2000}) + "\n1\n")
    broken, record = read(tmp_path / "a.jsonl", maximum_document_bytes=1000)
    assert isinstance(broken, Broken)
    assert broken.kind == "too long"
    assert record == Record("line 2", 1)
