"""Formats by the names of files."""

from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.files.formats import ALL, RECORDS, check_format, choose_formats, format_of

PROJECT = Path(__file__).parents[4]


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
        ("zhwiki-pages-articles.xml.bz2", "mediawiki"),
        ("sitemap.xml", None),
        ("man1/tar.1.gz", None),
        ("logs/system.log.1", None),
        ("a", None),
        ("a.pdf", "pdf"),
        ("CC-MAIN-1.warc.wet.gz", "warc"),
        ("CC-MAIN-1.warc.gz", "warc"),
        ("a.tar.xz", "tar"),
        ("a.TGZ", "tar"),
        ("a.mobi", None),
        ("a.gz", None),
    ],
)
def test_format_by_name(name: str, file_format: str | None) -> None:
    assert format_of(name) == file_format


def test_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown format 'json-line'; the nearest known one is 'jsonl'"):
        check_format("json-line")
    with pytest.raises(UserError, match=r"nearest known one is 'docx' .*; convert \.doc with `soffice --headless"):
        check_format("doc")


def test_the_documentation_names_every_format() -> None:
    text = (PROJECT / "config" / "README.md").read_text(encoding="utf-8")
    assert [name for name in ALL if f"`{name}`" not in text] == []


def test_formats_of_several_files() -> None:
    names = ["README.md", "a.jsonl", "notes.doc"]
    assert choose_formats(names, "set", "") == ({"README.md": "txt", "a.jsonl": "jsonl"}, ["notes.doc"])
    assert choose_formats(names, "set", "", RECORDS) == ({"a.jsonl": "jsonl"}, ["README.md", "notes.doc"])
    assert choose_formats(names, "set", "txt") == (dict.fromkeys(names, "txt"), [])
    assert choose_formats(["blob"], "pypi:set==1/a.json.gz", "", RECORDS) == ({"blob": "json"}, [])
    archives = ["a.zip", "b.txt"]
    assert choose_formats(archives, "set", "lines") == ({"a.zip": "zip", "b.txt": "lines"}, [])
    assert choose_formats(archives, "set", "jsonl", RECORDS) == (dict.fromkeys(archives, "jsonl"), [])
    with pytest.raises(
        UserError, match=r"a known ending \(.*\.pdf.*\); convert \.mobi with `ebook-convert FILE FILE\.epub`$"
    ):
        choose_formats(["a.mobi"], "set", "")
    with pytest.raises(UserError, match=r"set: cannot tell the format from the name \(README.md\)"):
        choose_formats(["README.md"], "set", "", RECORDS)
