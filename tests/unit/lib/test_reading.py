import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lib.errors import UserError
from lib.reading import BLOCK_BYTES, Seen, check_format, format_of, read_documents

DOCUMENTS = ["宴桃园豪杰三结义\n斩黄巾英雄首立功", 'a, "b"\tc', "第三回"]


def read(tmp_path: Path, data: str | bytes, file_format: str, field: str = "", name: str = "source") -> list[str]:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_documents(path, file_format, field, Seen()))


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("a.txt", "txt"),
        ("a.md", "txt"),
        ("a.TXT.GZ", "txt"),
        ("a.htm", "html"),
        ("a.jsonl.xz", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.json.bz2", "json"),
        ("a.csv", "csv"),
        ("a.tsv", "tsv"),
        ("pypi:project==1.0/data/a.parquet", "parquet"),
        ("a", None),
        ("a.pdf", None),
        ("a.gz", None),
    ],
)
def test_format_by_name(name: str, file_format: str | None) -> None:
    assert format_of(name) == file_format


def test_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown format 'json-line'; the nearest known one is 'jsonl'"):
        check_format("json-line")


def test_text_and_html_files_are_one_document(tmp_path: Path) -> None:
    assert read(tmp_path, "甲\n\n乙\n", "txt") == ["甲\n\n乙\n"]
    assert read(tmp_path, "<p>甲</p>\n", "html") == ["<p>甲</p>\n"]


def test_lines(tmp_path: Path) -> None:
    assert read(tmp_path, "甲\r\n\n  \n 乙", "lines") == ["甲", " 乙"]


def test_paragraphs(tmp_path: Path) -> None:
    assert read(tmp_path, "\n甲\n乙\n\n \n丙\r\n\r\n丁", "paragraphs") == ["甲\n乙", "丙", "丁"]


def test_jsonl(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"body": text, "n": 1}) for text in DOCUMENTS)
    assert read(tmp_path, lines + "\n\n", "jsonl", "body") == DOCUMENTS
    assert read(tmp_path, '"甲"\n{"text": null}\n', "jsonl") == ["甲", ""]


def test_json_list(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(DOCUMENTS), "json") == DOCUMENTS
    assert read(tmp_path, "\n " + json.dumps([{"text": text} for text in DOCUMENTS], indent=1), "json") == DOCUMENTS
    assert read(tmp_path, "[]", "json") == []


@pytest.mark.parametrize(("file_format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv_and_tsv(tmp_path: Path, file_format: str, delimiter: str) -> None:
    frame = pl.DataFrame({"n": [1, 2, 3], "text": DOCUMENTS})
    assert read(tmp_path, frame.write_csv(separator=delimiter), file_format) == DOCUMENTS


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2, 3, 4], "body": [*DOCUMENTS, None]}).write_parquet(path)
    assert list(read_documents(path, "parquet", "body", Seen())) == [*DOCUMENTS, ""]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_whatever_their_name(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    assert read(tmp_path, compress("甲\n乙".encode()), "lines") == ["甲", "乙"]


def test_encodings_and_undecodable_bytes_are_recorded(tmp_path: Path) -> None:
    seen = Seen()
    for number, data in enumerate(["话说天下".encode(), "分久必合".encode("gb18030"), "合久必分".encode()[:-1]]):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(data)
        list(read_documents(path, "txt", "", seen))
    assert seen.encodings == {"utf-8": 2, "gb18030": 1}
    assert seen.undecodable_bytes == 2


@pytest.mark.parametrize("file_format", ["json", "jsonl"])
def test_half_a_surrogate_pair_in_json_is_not_fatal(tmp_path: Path, file_format: str) -> None:
    data = '"甲\\ud800乙"' if file_format == "jsonl" else '["甲\\ud800乙"]'
    (document,) = read(tmp_path, data, file_format)
    assert document.encode()
    assert document[0] + document[-1] == "甲乙"


@pytest.mark.parametrize("file_format", ["lines", "jsonl", "json"])
def test_documents_across_the_borders_of_blocks(tmp_path: Path, file_format: str) -> None:
    documents = ["汉" * (BLOCK_BYTES // 2), "a" * (BLOCK_BYTES + 1), "字"]
    data = {
        "lines": "\n".join(documents),
        "jsonl": "\n".join(map(json.dumps, documents)),
        "json": json.dumps(documents, ensure_ascii=False),
    }
    assert read(tmp_path, data[file_format], file_format) == documents


@pytest.mark.parametrize(
    ("data", "file_format", "field", "message"),
    [
        ('{"text": "a"}\n{"text": "b"\n', "jsonl", "", "source, line 2: broken JSON"),
        ('{"text": "a"}\n\n{"body": "b", "n": 1}\n', "jsonl", "", "line 3: no field 'text'; found: body, n"),
        ('{"text": 5}\n', "jsonl", "", "line 1: 'text' must be a string, not int"),
        ("[1]\n", "jsonl", "", "line 1: 'text' must be a string, not list"),
        ('[{"text": "a"}, {"body": "b"}]', "json", "", "record 2: no field 'text'; found: body"),
        ('[{"a": "b"}]', "json", "c", "record 1: no field 'c'; found: a"),
        ('["a", "b"', "json", "", "source: broken JSON after record 2"),
        ('["a", b]', "json", "", "source: broken JSON after record 1"),
        ('["a"] ["b"]', "json", "", "source: broken JSON after record 1"),
        ('{"text": "a"}', "json", "", "not a JSON list of documents; for one object a line, set the format to jsonl"),
        ("", "json", "", "not a JSON list of documents"),
        ("title,body\na,b\n", "csv", "", "line 1: no column 'text'; found: title, body"),
        ("", "csv", "", "line 1: no column 'text'; found: none"),
        ("title,text\na\n", "csv", "", "line 2: 1 cells, too few to reach column 'text'"),
        ('text\tn\na\t1\n"b" c\t2\n', "tsv", "", "line 3: broken record"),
        ('text,n\na,1\n"b,2\nc,3\n', "csv", "", "broken record"),
        ("text", "parquet", "", "not a Parquet file"),
        (gzip.compress(b"abc" * 1000)[:-20], "txt", "", "source cannot be read"),
        (lzma.compress(b"abc" * 1000)[:-20], "txt", "", "source cannot be read"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "txt", "", "Zstandard, which is not supported"),
    ],
)
def test_says_what_is_wrong_and_where(
    tmp_path: Path, data: str | bytes, file_format: str, field: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, data, file_format, field)


def test_a_parquet_file_without_the_column(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"body": DOCUMENTS, "n": [1, 2, 3]}).write_parquet(path)
    with pytest.raises(UserError, match="no column 'text'; found: body, n"):
        list(read_documents(path, "parquet", "", Seen()))
    with pytest.raises(UserError, match="record 1: 'n' must be a string, not int"):
        list(read_documents(path, "parquet", "n", Seen()))
