import bz2
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import fetch
import polars as pl
import pytest
from container_files import zipped

from lib.core.errors import UserError
from lib.corpus.reading.documents import read_documents

ALPHABET = [chr(code) for code in range(0x4E00, 0x9FA5)]


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, shards: int = 2, settings: str = "{}", **row: Any) -> Any:
    output = tmp_path / "raw" / "news.json"
    arguments = [
        "--settings",
        settings,
        "--source",
        json.dumps({"name": "news", **row}),
        "--shards",
        str(shards),
        "--output",
        str(output),
    ]
    monkeypatch.setattr(sys, "argv", ["fetch.py", *arguments, "--downloads", str(tmp_path / "downloads")])
    fetch.main()
    return json.loads(output.read_text(encoding="utf-8"))


def texts(tmp_path: Path) -> list[str]:
    return pl.read_parquet(tmp_path / "raw" / "news" / "*.parquet").sort("id")["text"].to_list()


def table(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    return pl.read_parquet(tmp_path / name / "news.parquet").to_dicts()


def published(folder: Path) -> dict[str, bytes]:
    """All files that a run leaves behind, without what it read."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in ("raw", "files", "quarantine")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }


def test_a_single_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text('["甲乙", "丙"]', encoding="utf-8")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    row = {
        **{"name": "a.json", "format": "json", "encoding": "utf-8", "bytes": path.stat().st_size, "sha256": sha256},
        **{"documents": 2, "quarantined": 0, "undecodable_bytes": 0},
    }
    assert run(tmp_path, monkeypatch, uri=str(path), sha256=sha256) == {
        "uri": str(path),
        "documents": 2,
        "characters": 3,
        "number_of_files": 1,
        "files": [row],
        "number_of_ignored_files": 0,
        "ignored_files": [],
        "encodings": {"utf-8": 1},
        "undecodable_bytes": 0,
        "quarantined": {},
        "left_out": {},
        "divided": {},
    }
    assert texts(tmp_path) == ["甲乙", "丙"]
    assert table(tmp_path, "files") == [row]
    assert table(tmp_path, "quarantine") == []
    assert sorted(file.name for file in (tmp_path / "raw" / "news").iterdir()) == ["0000.parquet", "0001.parquet"]


def test_a_directory_of_mixed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "b.txt").write_bytes("分久必合".encode("gb18030"))
    (data / "a.jsonl").write_text('{"body": "一"}\n{"body": "二"}\n', encoding="utf-8")
    (data / "sub" / "c.csv").write_bytes(b"body\nthree\xff\n")
    (data / "notes.doc").write_bytes(b"\xd0\xcf")
    facts = run(tmp_path, monkeypatch, uri=str(data), text_field="body")
    assert texts(tmp_path) == ["一", "二", "分久必合", "three\ufffd"]
    assert [file["name"] for file in facts["files"]] == ["a.jsonl", "b.txt", "sub/c.csv"]
    assert facts["ignored_files"] == ["notes.doc"]
    assert facts["encodings"] == {"gb18030": 1, "utf-8": 2}
    assert facts["undecodable_bytes"] == 1
    files = {row["name"]: (row["format"], row["encoding"], row["documents"]) for row in table(tmp_path, "files")}
    assert files == {
        "a.jsonl": ("jsonl", "utf-8", 2),
        "b.txt": ("txt", "gb18030", 1),
        "sub/c.csv": ("csv", "utf-8", 1),
        "notes.doc": (None, None, None),
    }


def test_an_archive_with_a_format_and_an_encoding_for_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # These four bytes are Korean, too; nothing but the sheet says that they are Chinese.
    members = {"a.dat": "槐花\n柳絮".encode("gbk"), "b.zip": b"no archive"}
    (tmp_path / "data.zip").write_bytes(zipped(members))
    facts = run(tmp_path, monkeypatch, uri=str(tmp_path / "data.zip"), format="lines", encoding="GBK")
    assert texts(tmp_path) == ["槐花", "柳絮"]
    assert (facts["encodings"], facts["quarantined"]) == ({"gb18030": 1}, {"broken": 1})
    assert [row["file"] for row in table(tmp_path, "quarantine")] == ["data.zip"]
    assert "the first one: data.zip, b.zip: not a ZIP archive, or damaged" in capsys.readouterr().out
    assert not list((tmp_path / "downloads").iterdir())
    with pytest.raises(UserError, match="unknown encoding 'gbk2312'"):
        run(tmp_path, monkeypatch, uri=str(tmp_path / "data.zip"), encoding="gbk2312")


@pytest.mark.fault
def test_files_of_any_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["{x}.txt", "a{1}.txt", "\"quoted'.txt", "new\nline.txt", os.fsdecode("槐花.txt".encode("gbk"))]
    data = tmp_path / "data"
    data.mkdir()
    for name in names:
        (data / name).write_text(name.encode("utf-8", "replace").decode(), encoding="utf-8")
    (data / os.fsdecode("柳絮.bin".encode("gbk"))).touch()
    facts = run(tmp_path, monkeypatch, uri=str(data))
    assert sorted(file["name"] for file in facts["files"]) == sorted([*names[:-1], "槐花.txt"])
    assert facts["ignored_files"] == ["柳絮.bin"]
    assert facts["documents"] == 5
    facts = run(tmp_path, monkeypatch, uri=str(data / "a{1}.txt"))
    assert texts(tmp_path) == ["a{1}.txt"]


def test_a_byte_order_mark_is_no_text_where_the_sheet_says_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text('"甲"\n', encoding="utf-8-sig")
    run(tmp_path, monkeypatch, uri=str(tmp_path / "a.jsonl"), encoding="utf-8")
    assert texts(tmp_path) == ["甲"]


@pytest.mark.fault
def test_broken_records_go_into_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text('"甲"\n{"text"\n"乙"\n{"body": 1}\n', encoding="utf-8")
    facts = run(tmp_path, monkeypatch, uri=str(tmp_path / "a.jsonl"))
    assert texts(tmp_path) == ["甲", "乙"]
    assert facts["quarantined"] == {"broken": 1, "no text": 1}
    first, second = table(tmp_path, "quarantine")
    assert (first["file"], first["position"], first["text"]) == ("a.jsonl", "line 2", '{"text"\n')
    assert (second["position"], second["reason"][:15]) == ("line 4", "no field 'text'")
    assert "2 records in quarantine; the first one: a.jsonl, line 2: broken JSON" in capsys.readouterr().out


def test_a_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "<page><title>{}</title><ns>{}</ns><revision><text>{}</text></revision></page>"
    texts_by_title = {"甲": (0, "'''甲'''是[[乙|天干]]。"), "讨论:甲": (1, "闲话"), "丙": (0, "#重定向 [[甲]]")}
    pages = "".join(page.format(title, *rest) for title, rest in texts_by_title.items())
    (tmp_path / "wiki.xml.bz2").write_bytes(bz2.compress(f"<mediawiki>{pages}</mediawiki>".encode()))
    facts = run(tmp_path, monkeypatch, uri=str(tmp_path / "wiki.xml.bz2"))
    assert texts(tmp_path) == ["甲\n甲是天干。"]
    assert facts["left_out"] == {"other namespaces": 1, "redirects": 1}


def test_many_small_files_and_one_large_file_shard_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(100):
        (data / f"{number:03d}.txt").write_text(f"第{number:03d}篇", encoding="utf-8")
    (tmp_path / "all.txt").write_text("\n".join(f"第{number:03d}篇" for number in range(100)), encoding="utf-8")
    run(tmp_path, monkeypatch, shards=7, uri=str(data))
    apart = published(tmp_path)
    run(tmp_path, monkeypatch, shards=7, uri=str(tmp_path / "all.txt"), format="lines")
    for number in range(7):
        name = f"raw/news/{number:04d}.parquet"
        assert apart[name] == published(tmp_path)[name]
        assert len(pl.read_parquet(tmp_path / name)) in (14, 15)


@pytest.fixture
def poems(tmp_path: Path) -> Path:
    path = tmp_path / "poems.jsonl"
    # Random characters, so that they do not compress.
    texts = ("".join(map(chr, random.Random(number).choices(range(0x4E00, 0x9FA5), k=2000))) for number in range(200))
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts) + "{\n", encoding="utf-8")
    return path


def fetch_program(poems: Path, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program as the rule does, after the Python statements `before`."""
    program = Path(fetch.__file__)
    start = f"import runpy, sys\n{before}\nsys.path.insert(0, {str(program.parent)!r})\n"
    start += f"runpy.run_path({str(program)!r}, run_name='__main__')"
    source = json.dumps({"name": "news", "uri": str(poems)})
    arguments = ["--settings", "{}", "--source", source, "--shards", "3", "--output", str(folder / "raw" / "news.json")]
    command = [sys.executable, "-c", start, *arguments, "--downloads", str(folder / "downloads")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_fault(result: subprocess.CompletedProcess[str], folder: Path, reason: str) -> None:
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: cannot write")
    assert reason in line
    assert not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.fault
def test_a_limit_on_file_sizes_while_writing(poems: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    check_fault(fetch_program(poems, tmp_path / "faulty", limit), tmp_path / "faulty", "File too large")
    assert fetch_program(poems, tmp_path / "faulty").returncode == 0
    assert fetch_program(poems, tmp_path / "undisturbed").returncode == 0
    assert published(tmp_path / "faulty") == published(tmp_path / "undisturbed")


@pytest.mark.fault
def test_a_full_disk_while_writing(poems: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        check_fault(fetch_program(poems, disk), disk, "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert fetch_program(poems, disk).returncode == 0
        assert fetch_program(poems, tmp_path / "undisturbed").returncode == 0
        assert published(disk) == published(tmp_path / "undisturbed")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(params=["zip", "tar", "warc"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Texts of random characters, which do not compress, 1.2 MB in all."""
    texts = {
        f"{number:02d}.txt": "".join(random.Random(number).choices(ALPHABET, k=20_000)).encode() for number in range(20)
    }
    path = tmp_path / f"texts.{request.param}"
    if request.param == "zip":
        path.write_bytes(zipped(texts))
    elif request.param == "tar":
        with tarfile.open(path, "w") as file:
            for name, content in texts.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    else:
        head = "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n"
        records = (head.format(len(content)).encode() + content + b"\r\n\r\n" for content in texts.values())
        path.write_bytes(b"".join(records))
    return path


@pytest.mark.fault
def test_killed_while_it_reads_an_archive(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    # It dies as a process does that is killed from outside, half-way through the archive.
    with_kill = f"""import os, sys
sys.path.insert(0, {str(Path(fetch.__file__).parent)!r})
from lib.corpus.reading import documents
read = documents.read_documents
def killed(*arguments):
    for number, document in enumerate(read(*arguments)):
        if number == 10:
            os.kill(os.getpid(), 9)
        yield document
documents.read_documents = killed
"""
    assert fetch_program(archive, folder, with_kill).returncode == -9
    assert all(any(part.startswith(".") for part in Path(name).parts) for name in published(folder))
    assert fetch_program(archive, folder).returncode == 0
    assert fetch_program(archive, tmp_path / "undisturbed").returncode == 0
    assert published(folder) == published(tmp_path / "undisturbed")
    assert not list((folder / "downloads").glob("*"))


@pytest.mark.fault
def test_no_room_for_what_an_archive_holds(archive: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))"
    check_fault(fetch_program(archive, tmp_path / "faulty", limit), tmp_path / "faulty", "File too large")
    assert fetch_program(archive, tmp_path / "faulty").returncode == 0
    assert len(texts(tmp_path / "faulty")) >= 20


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
        ({"uri": "b.jsonl", "settings": '{"on_broken_record": "stop"}'}, "b.jsonl, line 2: broken JSON"),
        ({"uri": "b.jsonl", "text_field": "body"}, "no record can be read; the first one: b.jsonl, line 1: no field"),
        ({"uri": "c.txt.gz"}, "c.txt.gz cannot be read to its end"),
        ({"uri": "d"}, "d/gone.txt is a link to nothing"),
        ({"uri": "b.jsonl", "sha256": "0" * 64}, "sha256 is"),
        ({"uri": "none.txt"}, "none.txt does not exist"),
    ],
)
def test_nothing_is_written_when_something_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.dat").write_text("文", encoding="utf-8")
    Path("b.jsonl").write_text('{"text": "一"}\n{"text"\n', encoding="utf-8")
    Path("c.txt.gz").write_bytes(gzip.compress(b"text" * 1000)[:-9])
    Path("d").mkdir()
    Path("d/a.txt").write_text("文", encoding="utf-8")
    Path("d/gone.txt").symlink_to("nothing")
    with pytest.raises(UserError, match=message):
        run(tmp_path, monkeypatch, **row)
    assert not published(tmp_path)


@pytest.mark.parametrize("change", ["grows", "goes", "comes", "is replaced"])
@pytest.mark.fault
def test_a_source_that_changes_while_it_is_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (data / name).write_text("槐花", encoding="utf-8")
    run(tmp_path / "before", monkeypatch, uri=str(data))

    def read_and_change(path: Path, *arguments: Any) -> Any:
        if path.name == "b.txt":
            if change == "grows":
                with (data / "a.txt").open("a", encoding="utf-8") as file:
                    file.write("柳絮")
            elif change == "goes":
                (data / "c.txt").unlink()
            elif change == "comes":
                (data / "d.txt").write_text("柳絮", encoding="utf-8")
            else:
                (data / "new").write_text("柳絮", encoding="utf-8")
                os.replace(data / "new", data / "c.txt")
        return read_documents(path, *arguments)

    monkeypatch.setattr(fetch, "read_documents", read_and_change)
    with pytest.raises(UserError, match=r"data changed while it was read \([acd]\.txt\); run again"):
        run(tmp_path, monkeypatch, uri=str(data))
    assert not published(tmp_path)
