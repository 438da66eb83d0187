"""Texts of files: the field of records, and why a record has none."""

import json
from pathlib import Path

import pytest

from lib.files.formats import TEXTS, format_of
from lib.files.text_files import Broken, Seen, TextFile
from lib.files.texts import read_texts
from lib.settings.corpus import ReadingLimits


def read(path: Path, file_format: str, text_field: str = "") -> list[str | Broken]:
    return list(read_texts(TextFile(path, Seen(), ReadingLimits()), file_format, text_field))


@pytest.mark.parametrize("file_format", ["lines", "paragraphs", "jsonl", "json", "csv", "tsv"])
def test_every_format_gives_the_same(tmp_path: Path, file_format: str) -> None:
    written = {
        "lines": "甲\n乙",
        "paragraphs": "甲\n\n乙",
        "jsonl": '{"text": "甲"}\n"乙"',
        "json": json.dumps(["甲", {"text": "乙"}]),
        "csv": "n,text\n1,甲\n2,乙",
        "tsv": "n\ttext\n1\t甲\n2\t乙",
    }
    assert file_format in TEXTS
    (tmp_path / "a").write_text(written[file_format], encoding="gb18030")
    assert read(tmp_path / "a", file_format) == ["甲", "乙"]


def test_a_record_without_text_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "\\ud800甲"}', encoding="utf-8")
    (broken,) = read(tmp_path / "a.jsonl", str(format_of("a.jsonl")), "title")
    assert isinstance(broken, Broken)
    assert broken.reason.startswith("no field 'title'; found: body")
    assert broken.text == '{"body": "\ufffd甲"}'
