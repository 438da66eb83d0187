import gzip
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.corpus.reading.documents import Reading, read_documents
from lib.files import compression
from lib.files.compression import BLOCK_BYTES
from lib.files.text_files import Broken, Seen
from lib.settings.corpus import ReadingSettings

SCRIPTS = Path(__file__).parents[5] / "scripts"
DOCUMENTS = ["宴桃园豪杰三结义\n斩黄巾英雄首立功", 'a, "b"\tc', "第三回"]


def read_path(
    path: Path, file_format: str, field: str = "", seen: Seen | None = None, **settings: object
) -> list[str | Broken]:
    reading = Reading(ReadingSettings.model_validate(settings), path.parent / "unpacked", text_field=field)
    return list(read_documents(path, file_format, seen or Seen(), reading))


def read(
    tmp_path: Path, data: str | bytes, file_format: str, field: str = "", seen: Seen | None = None, **settings: object
) -> list[str | Broken]:
    path = tmp_path / "source"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_path(path, file_format, field, seen, **settings)


def test_text_and_html_files_are_one_document(tmp_path: Path) -> None:
    assert read(tmp_path, "甲\n\n乙\n", "txt") == ["甲\n\n乙\n"]
    assert read(tmp_path, "<html>甲", "html") == ["<html>甲"]


def test_lines(tmp_path: Path) -> None:
    assert read(tmp_path, "甲\r\n\n  \n 乙", "lines") == ["甲", " 乙"]


def test_paragraphs(tmp_path: Path) -> None:
    assert read(tmp_path, "\n甲\n乙\n\n \n丙\r\n\r\n丁", "paragraphs") == ["甲\n乙", "丙", "丁"]


def test_html_files_are_marked_as_pages_for_the_cleaning_step(tmp_path: Path) -> None:
    assert read(tmp_path, "<body><p>甲</p>", "html") == ["<!doctype html>\n<body><p>甲</p>"]


@pytest.mark.parametrize(
    "file_format", ["txt", "html", "lines", "paragraphs", "jsonl", "json", "csv", "tsv", "parquet"]
)
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_empty_files_hold_no_documents(tmp_path: Path, file_format: str, data: bytes) -> None:
    if not (data and file_format == "parquet"):
        assert read(tmp_path, data, file_format) == []


def test_jsonl(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"body": text, "n": 1}) for text in DOCUMENTS)
    assert read(tmp_path, lines + "\n\n", "jsonl", "body") == DOCUMENTS
    assert read(tmp_path, '"甲"\n{"text": null}\n', "jsonl") == ["甲", ""]


@pytest.mark.parametrize(
    ("record", "field", "text"),
    [
        ({"meta": {"body": "甲"}}, "meta.body", "甲"),
        ({"meta.body": "甲", "meta": {"body": "乙"}}, "meta.body", "甲"),
        ({"title": "静夜思", "lines": ["床前明月光", "疑是地上霜"]}, "title, lines", "静夜思\n床前明月光\n疑是地上霜"),
        ({"title": None, "body": "甲"}, "title,body", "甲"),
        ({"talk": [{"value": "甲"}, {"value": "乙"}]}, "talk.value", "甲\n乙"),
        ({"a,b": "甲"}, "a,b", "甲"),
    ],
)
@pytest.mark.parametrize("file_format", ["json", "jsonl"])
def test_fields(tmp_path: Path, file_format: str, record: dict[str, object], field: str, text: str) -> None:
    data = json.dumps([record] if file_format == "json" else record)
    assert read(tmp_path, data, file_format, field) == [text]


def test_json_list(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(DOCUMENTS), "json") == DOCUMENTS
    assert read(tmp_path, "\n " + json.dumps([{"text": text} for text in DOCUMENTS], indent=1), "json") == DOCUMENTS
    assert read(tmp_path, "[]", "json") == []


def test_json_of_one_object_or_several(tmp_path: Path) -> None:
    assert read(tmp_path, '{"text": "甲"}', "json") == ["甲"]
    assert read(tmp_path, '{"text": "甲"}\n{"text": "乙", "n": {"m": [1]}}\n', "json") == ["甲", "乙"]


@pytest.mark.parametrize(("file_format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv_and_tsv(tmp_path: Path, file_format: str, delimiter: str) -> None:
    frame = pl.DataFrame({"n": [1, 2, 3], "text": DOCUMENTS})
    assert read(tmp_path, frame.write_csv(separator=delimiter), file_format) == DOCUMENTS


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2, 3, 4], "body": [*DOCUMENTS, None]}).write_parquet(path)
    seen = Seen()
    assert read_path(path, "parquet", "body", seen) == [*DOCUMENTS, ""]
    assert seen == Seen(encoding="utf-8", sha256=sha256_file(path))
    pl.DataFrame({"meta": [{"title": "题", "lines": ["甲", "乙"]}]}).write_parquet(path)
    assert read_path(path, "parquet", "meta.title, meta.lines") == ["题\n甲\n乙"]


def test_a_source_is_unpacked_whatever_its_name(tmp_path: Path) -> None:
    seen = Seen()
    assert read(tmp_path, gzip.compress("甲\n乙".encode()), "lines", seen=seen) == ["甲", "乙"]
    assert seen == Seen(encoding="utf-8", sha256=sha256_file(tmp_path / "source"))


def test_encodings_and_undecodable_bytes_are_recorded(tmp_path: Path) -> None:
    seen = Seen()
    read(tmp_path, "分久必合".encode("gb18030"), "txt", seen=seen)
    assert (seen.encoding, seen.undecodable_bytes) == ("gb18030", 0)
    seen = Seen()
    read(tmp_path, "合久必分".encode()[:-1], "lines", seen=seen)
    assert (seen.encoding, seen.undecodable_bytes) == ("utf-8", 2)


@pytest.mark.parametrize("file_format", ["json", "jsonl"])
@pytest.mark.fault
def test_half_a_surrogate_pair_in_json_is_not_fatal(tmp_path: Path, file_format: str) -> None:
    data = '"甲\\ud800乙"' if file_format == "jsonl" else '["甲\\ud800乙"]'
    seen = Seen()
    assert read(tmp_path, data, file_format, seen=seen) == ["甲\ufffd乙"]
    assert seen.undecodable_bytes == 1


@pytest.mark.parametrize("file_format", ["lines", "jsonl", "json"])
def test_documents_across_the_borders_of_blocks(tmp_path: Path, file_format: str) -> None:
    documents = ["汉" * (BLOCK_BYTES // 2), "a" * (BLOCK_BYTES + 1), "字"]
    data = {
        "lines": "\n".join(documents),
        "jsonl": "\n".join(map(json.dumps, documents)),
        "json": json.dumps(documents, ensure_ascii=False),
    }
    assert read(tmp_path, data[file_format], file_format) == documents


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("data", "file_format", "field", "position", "kind", "reason"),
    [
        ('{"text": "b"\n"甲"', "jsonl", "", "line 1", "broken", "broken JSON"),
        ('"甲"\n{"body": "b", "n": 1}\n', "jsonl", "", "line 2", "no text", "no field 'text'; found: body, n"),
        (
            '{"text": 5}\n"甲"',
            "jsonl",
            "",
            "line 1",
            "no text",
            "'text' must be a string or a list of strings, not int",
        ),
        ('[1]\n"甲"', "jsonl", "", "line 1", "no text", "not list"),
        ('["甲", {"body": "b"}]', "json", "", "record 2", "no text", "no field 'text'; found: body"),
        ('["甲", {"text": {"a": 1}}]', "json", "text.b", "record 2", "no text", "no field 'text.b'; found: a"),
        ('[b{, "甲"]'.replace("{", ""), "json", "", "record 1", "broken", "broken JSON"),
        ('{"text": "甲"} {"text": b}', "json", "", "record 2", "broken", "broken JSON"),
        ('["甲",, "甲"]', "json", "", "record 2", "broken", "broken JSON"),
        (f'"甲"\n{DEEP}', "jsonl", "", "line 2", "broken", "recursion"),
        (f'["甲", {DEEP}]', "json", "", "record 2", "broken", "recursion"),
        ("title,text\na\nb,甲", "csv", "", "line 2", "broken", "1 cells, too few to reach column 'text'"),
        ('text\tn\n甲\t1\n"b" c\t2\n', "tsv", "", "line 3", "broken", "must be quoted as a whole"),
    ],
)
def test_broken_records_are_put_aside_with_the_reason(
    tmp_path: Path, data: str, file_format: str, field: str, position: str, kind: str, reason: str
) -> None:
    documents = read(tmp_path, data, file_format, field)
    (broken,) = (document for document in documents if isinstance(document, Broken))
    assert (broken.position, broken.kind) == (position, kind)
    assert reason in broken.reason
    assert len(broken.text) <= 1000
    assert {document for document in documents if isinstance(document, str)} <= {"甲"}
    with pytest.raises(UserError, match=rf"source, {position}: .*set corpus.on_broken_record to quarantine"):
        read(tmp_path, data, file_format, field, on_broken_record="stop")


LONG = "文" * 1000


@pytest.mark.parametrize(
    ("file_format", "data", "position"),
    [
        ("txt", LONG, "line 1"),
        ("lines", f"甲\n{LONG}\n乙", "line 2"),
        ("paragraphs", f"甲\n\n{LONG}\n\n乙", "line 3"),
        ("paragraphs", "甲\n\n" + f"{LONG[:200]}\n" * 9 + "\n乙", "line 3"),
        ("jsonl", f'"甲"\n"{LONG}"\n"乙"', "line 2"),
        ("json", f'["甲", "{LONG}", "乙"]', "record 2"),
        ("json", f'{{"text": "甲"}}{{"text": "{LONG}"}}{{"text": "乙"}}', "record 2"),
    ],
)
def test_documents_that_are_too_long_are_put_aside(tmp_path: Path, file_format: str, data: str, position: str) -> None:
    documents = read(tmp_path, data, file_format, maximum_document_bytes=2000)
    (broken,) = (document for document in documents if isinstance(document, Broken))
    assert broken.position == position
    assert broken.kind == "too long"
    assert "bytes, more than corpus.maximum_document_bytes (2,000)" in broken.reason
    assert 600 < len(broken.text) <= 1000
    assert [document for document in documents if isinstance(document, str)] == (
        [] if len(documents) == 1 else ["甲", "乙"]
    )


@pytest.mark.fault
def test_a_line_of_200_megabytes_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write('{"text": "甲"}\n{"text": "'.encode())
        for _ in range(200):
            file.write(b"a" * 1_000_000)
        file.write('"}\n{"text": "乙"}\n'.encode())
    program = (
        "import re, sys; from pathlib import Path; from lib.corpus.reading.documents import *; "
        "reading = Reading(ReadingSettings(), Path('unpacked')); "
        "documents = list(read_documents(Path(sys.argv[1]), 'jsonl', Seen(), reading)); "
        "print([getattr(one, 'kind', one) for one in documents]); "
        # Not resource.getrusage, which counts what the parent held before the program started.
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    command = [sys.executable, "-c", program, str(path)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SCRIPTS), "PYTHONUTF8": "1"}
    )
    documents, megabytes = result.stdout.splitlines()
    assert documents == "['甲', 'too long', '乙']"
    assert int(megabytes) < 500


def test_a_document_of_50_megabytes_passes(tmp_path: Path) -> None:
    text = "汉字" * (25_000_000 // 3)
    assert read(tmp_path, f'"{text}"', "jsonl") == [text]


@pytest.mark.parametrize(
    ("data", "file_format", "message"),
    [
        ('["a", "b"', "json", "source: broken JSON after record 1: the file ends inside the list"),
        ('["a"] ["b"]', "json", "source: broken JSON after record 1: text after the end of the list"),
        ('{"text": "a"} {"text": "b', "json", "after record 1: the file ends inside a record"),
        ("text", "json", "not a JSON list of documents"),
        ("title,body\na,b\n", "csv", "line 1: no column 'text'; found: title, body"),
        ('"text,n\na,1\n', "csv", "line 1: broken header .*is a quotation mark not closed"),
        ("text", "parquet", "not a Parquet file"),
        (gzip.compress(b"abc" * 1000, mtime=0)[:-20], "txt", "source cannot be read to its end"),
    ],
)
def test_files_that_are_broken_as_a_whole_stop_the_run(
    tmp_path: Path, data: str | bytes, file_format: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, data, file_format)


def test_csv_lines_and_fields_that_are_too_long_are_put_aside(tmp_path: Path) -> None:
    first, long, last = read(tmp_path, f"text\n甲\n{LONG}\n乙\n", "csv", maximum_document_bytes=2000)
    assert (first, last) == ("甲", "乙")
    assert isinstance(long, Broken)
    assert (long.position, long.kind) == ("line 3", "too long")
    broken, *rest = read(tmp_path, 'text\n"' + "a\n" * 2000, "csv", maximum_document_bytes=2000)
    assert isinstance(broken, Broken)
    assert broken.reason.startswith("field larger than field limit")
    assert rest == ["a"] * 1999


@pytest.mark.fault
def test_parquet_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"body": DOCUMENTS, "n": [1, 2, 3]}).write_parquet(path)
    with pytest.raises(UserError, match="no column 'text'; found: body, n"):
        read_path(path, "parquet")
    assert [one.kind for one in read_path(path, "parquet", "n") if isinstance(one, Broken)] == ["no text"] * 3
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(40) + whole[44:])
    with pytest.raises(UserError, match=r"a.parquet cannot be read after record 0"):
        read_path(path, "parquet", "body")
    path.write_bytes(whole[:-20])
    with pytest.raises(UserError, match=r"a.parquet: not a Parquet file"):
        read_path(path, "parquet", "body")


@pytest.mark.fault
def test_parquet_texts_that_are_not_utf_8(tmp_path: Path) -> None:
    texts = pa.array([b"a", "文".encode("gb18030"), "文".encode()]).view(pa.string())
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    first, broken, last = read_path(tmp_path / "a.parquet", "parquet")
    assert (first, last) == ("a", "文")
    assert isinstance(broken, Broken)
    assert broken.position == "record 2"


@pytest.mark.fault
def test_a_parquet_file_that_stands_for_far_more_than_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "FREE_BYTES", 1000)
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": ["文" * 10_000] * 1000}).write_parquet(path)
    monkeypatch.setattr(compression, "MAXIMUM_EXPANSION", 10)
    with pytest.raises(UserError, match=r"a\.parquet \([\d,]+ bytes\) unpacks to more than [\d,]+ bytes"):
        read_path(path, "parquet")
    monkeypatch.setattr(compression, "MAXIMUM_EXPANSION", 1_000_000)
    assert len(read_path(path, "parquet")) == 1000


def test_articles_that_are_too_long_are_put_aside(tmp_path: Path) -> None:
    data = (
        f"<mediawiki><page><title>题</title><ns>0</ns><revision><text>{LONG * 3}</text></revision></page></mediawiki>"
    )
    (broken,) = read(tmp_path, data, "mediawiki", maximum_document_bytes=2000)
    assert isinstance(broken, Broken)
    assert (broken.position, broken.kind, len(broken.text)) == ("article 1 (题)", "too long", 1000)


@pytest.mark.fault
def test_nul_bytes_and_binary_files_do_no_harm(tmp_path: Path) -> None:
    assert read(tmp_path, b"a\0b\n\0\n", "lines") == ["a\0b", "\0"]
    assert read(tmp_path, '"a\\u0000b"', "jsonl") == ["a\0b"]
    assert read(tmp_path, b"text\na\0b\n", "csv") == ["a\0b"]
    for file_format in ("txt", "lines", "paragraphs", "jsonl"):
        read(tmp_path, bytes(range(256)) * 100, file_format)


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read to its end: Is a directory"):
        read_path(tmp_path, "txt")
