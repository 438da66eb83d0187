import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import fetch
import polars as pl
import pytest

from lib.errors import UserError


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, shards: int = 2, **row: Any) -> Any:
    output = tmp_path / "raw" / "news.json"
    arguments = ["--source", json.dumps({"name": "news", **row}), "--shards", str(shards), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["fetch.py", *arguments, "--downloads", str(tmp_path / "downloads")])
    fetch.main()
    return json.loads(output.read_text(encoding="utf-8"))


def texts(tmp_path: Path) -> list[str]:
    return pl.read_parquet(tmp_path / "raw" / "news" / "*.parquet").sort("id")["text"].to_list()


def test_a_single_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text('["甲乙", "丙"]', encoding="utf-8")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert run(tmp_path, monkeypatch, uri=str(path), sha256=sha256) == {
        "uri": str(path),
        "documents": 2,
        "characters": 3,
        "files": [{"name": "a.json", "format": "json", "bytes": path.stat().st_size, "sha256": sha256}],
        "ignored_files": [],
        "encodings": {"utf-8": 1},
        "undecodable_bytes": 0,
    }
    assert texts(tmp_path) == ["甲乙", "丙"]
    assert sorted(file.name for file in (tmp_path / "raw" / "news").iterdir()) == ["0000.parquet", "0001.parquet"]


def test_a_directory_of_mixed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "b.txt").write_bytes("分久必合".encode("gb18030"))
    (data / "a.jsonl").write_text('{"body": "一"}\n{"body": "二"}\n', encoding="utf-8")
    (data / "sub" / "c.csv").write_bytes(b"body\nthree\xff\n")
    (data / "notes.pdf").write_bytes(b"%PDF")
    facts = run(tmp_path, monkeypatch, uri=str(data), text_field="body")
    assert texts(tmp_path) == ["一", "二", "分久必合", "three\ufffd"]
    assert [file["name"] for file in facts["files"]] == ["a.jsonl", "b.txt", "sub/c.csv"]
    assert facts["ignored_files"] == ["notes.pdf"]
    assert facts["encodings"] == {"gb18030": 1, "utf-8": 2}
    assert facts["undecodable_bytes"] == 1


def test_the_format_of_the_sheet_holds_for_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.log").write_text("一\n二\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("三\n", encoding="utf-8")
    run(tmp_path, monkeypatch, uri=str(tmp_path / "*.*"), format="lines")
    assert texts(tmp_path) == ["一", "二", "三"]


def test_fewer_shards_leave_no_old_ones_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("文", encoding="utf-8")
    run(tmp_path, monkeypatch, shards=3, uri=str(tmp_path / "a.txt"))
    run(tmp_path, monkeypatch, shards=1, uri=str(tmp_path / "a.txt"))
    assert [file.name for file in (tmp_path / "raw" / "news").iterdir()] == ["0000.parquet"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"uri": "a.dat"}, r"cannot tell the format from the name \(a.dat\); fill in the sheet's column format"),
        ({"uri": "a.dat", "format": "jsnol"}, "unknown format 'jsnol'"),
        ({"uri": "b.jsonl"}, "b.jsonl, line 2: broken JSON"),
        ({"uri": "b.jsonl", "sha256": "0" * 64}, "sha256 is"),
        ({"uri": "none.txt"}, "none.txt does not exist"),
    ],
)
def test_nothing_is_written_when_something_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.dat").write_text("文", encoding="utf-8")
    Path("b.jsonl").write_text('"一"\n{"text"\n', encoding="utf-8")
    with pytest.raises(UserError, match=message):
        run(tmp_path, monkeypatch, **row)
    assert not list(tmp_path.glob("raw/*"))
