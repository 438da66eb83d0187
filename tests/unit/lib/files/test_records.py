"""Records of every format, the same from each, and the place of the first bad one."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from lib.core.errors import UserError
from lib.files.records import read_records, record_format

RECORDS = [{"instruction": "问", "output": "答，\n“对”"}, {"instruction": "a", "output": "b"}]


def write(path: Path) -> Path:
    match record_format(path):
        case "json":
            path.write_text(json.dumps(RECORDS, ensure_ascii=False), encoding="gb18030")
        case "jsonl":
            path.write_bytes(gzip.compress("".join(json.dumps(record) + "\n\n" for record in RECORDS).encode()))
        case "csv" | "tsv" as kind:
            pl.DataFrame(RECORDS).write_csv(path, separator="," if kind == "csv" else "\t")
        case "parquet":
            pl.DataFrame(RECORDS).write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("a.json", ("record 1", "record 2")),
        ("a.jsonl.gz", ("line 1", "line 3")),
        ("a.csv", ("line 3", "line 4")),
        ("a.tsv", ("line 3", "line 4")),
        ("a.parquet", ("record 1", "record 2")),
    ],
)
def test_every_format_gives_the_same(tmp_path: Path, name: str, places: tuple[str, str]) -> None:
    path = write(tmp_path / name)
    found = list(read_records(path))
    assert [record for _, record in found] == RECORDS
    assert [place for place, _ in found] == [f"{path}, {place}" for place in places]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', r"a\.jsonl, line 2: broken JSON"),
        ("a.jsonl", b'{"a": "\xff"}\n', r"a\.jsonl: 1 bytes are no utf-8 text"),
        ("a.json", b'[{"a": 1}, {"a" 2}]', r"a\.json, record 2: broken JSON"),
        ("a.json", b'[{"a": 1},', r"a\.json: broken JSON after record 1"),
        ("a.csv", b"a,b\n1,2\n1\n", r"a\.csv, line 3: 1 cells, but the header names 2"),
        ("a.csv", b'a,b\n1,"2\n', r"a\.csv, line 2: broken record .* quotation marks"),
        ("a.parquet", b"PAR1", r"a\.parquet: no sound Parquet file"),
        ("a.txt", b"", r"a\.txt: no format; name it in the sheet"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        list(read_records(tmp_path / name))


def test_a_format_that_is_given_counts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('{"a": 1}\n')
    assert [record for _, record in read_records(tmp_path / "a.txt", "jsonl")] == [{"a": 1}]
    with pytest.raises(UserError, match="unknown format 'jsnol'; the nearest known one is 'jsonl'"):
        list(read_records(tmp_path / "a.txt", "jsnol"))
    with pytest.raises(UserError, match="does not exist"):
        list(read_records(tmp_path / "none.json"))
