"""ZIP and TAR archives of files in any format."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from container_files import docx, zipped

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.corpus.reading.documents import Reading, read_documents
from lib.files import compression
from lib.files.text_files import Broken, Seen
from lib.settings.corpus import ReadingSettings


def tarred(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read(
    tmp_path: Path, data: bytes, file_format: str, seen: Seen | None = None, member_format: str = "", **limits: float
) -> list[str | Broken]:
    path = tmp_path / "file"
    path.write_bytes(data)
    seen = seen or Seen()
    reading = Reading(ReadingSettings.model_validate(limits), tmp_path / "scratch", member_format=member_format)
    found = list(read_documents(path, file_format, seen, reading))
    assert seen.sha256 == sha256_file(path)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    return found


TEXT = "院子里的老槐树今年开花开得很晚，祖母说那是因为春天下了太久的雨。"
FILES = {
    "a.jsonl": '{"text": "甲"}\n{"text"\n'.encode(),
    "sub/b.txt.gz": gzip.compress(TEXT.encode("gb18030")),
    "c.docx": docx("<w:p><w:t>丙</w:t></w:p>"),
    "../../outside.txt": b"outside",
    "/absolute.txt": b"absolute",
    "notes.doc": b"\xd0\xcf",
    "__MACOSX/a.txt": b"rubbish",
    ".hidden/a.txt": b"hidden",
    "inner.zip": zipped({"d.txt": "丁", "broken.zip": "no archive"}),
    "e.csv": b"title\nno text\n",
}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_files_of_all_formats(tmp_path: Path, kind: str) -> None:
    data = zipped(FILES) if kind == "zip" else tarred(FILES, f"w:{kind.partition('.')[2]}")
    seen = Seen()
    found = read(tmp_path, data, kind[:3], seen)
    documents = [one for one in found if isinstance(one, str)]
    assert documents == ["甲", TEXT, "丙\n", "outside", "absolute", "丁"]
    broken = [(one.position, one.reason) for one in found if isinstance(one, Broken)]
    assert broken[0][0] == "a.jsonl, line 2"
    assert broken[1] == (
        "inner.zip, broken.zip",
        "not a ZIP archive, or damaged (File is not a zip file); fetch it again or take it out",
    )
    assert broken[2][0] == "e.csv"
    assert broken[2][1].startswith("line 1: no column 'text'; found: title")
    assert "scratch" not in str(broken)
    assert seen.left_out == {"files in archives of no known format": 3}
    assert seen.encoding == "ascii, gb18030, utf-8"


def test_a_format_for_all_files(tmp_path: Path) -> None:
    data = zipped({"a.dat": "甲\n乙\n", "in.zip": zipped({"b": "丙\n"})})
    assert read(tmp_path, data, "zip", member_format="lines") == ["甲", "乙", "丙"]


def test_archives_nest_to_a_limit(tmp_path: Path) -> None:
    data = zipped({"a.txt": "甲"})
    for _ in range(2):
        data = zipped({"in.zip": data})
    assert read(tmp_path, data, "zip") == ["甲"]
    (broken,) = read(tmp_path, zipped({"in.zip": data}), "zip")
    assert isinstance(broken, Broken)
    assert (broken.position, broken.reason) == (
        "in.zip, in.zip, in.zip",
        "more than 3 archives within each other; unpack it first",
    )


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.fault
def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int) -> None:
    monkeypatch.setattr(compression, "FREE_BYTES", 1 << 20)
    data = zipped({f"{number}.txt": bytes(1 << 20) for number in range(4)})
    for _ in range(depth):
        data = zipped({"in.zip": data})
    with pytest.raises(UserError, match=r"file \([\d,]+ bytes\) unpacks to more than 1,048,576 bytes.*unpack it"):
        read(tmp_path, data, "zip")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.fault
def test_encrypted_and_damaged_members(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("a.txt", "b.txt", "c.txt"):
            archive.writestr(name, f"text {name}")
    data = bytearray(buffer.getvalue())
    data[data.index(b"text a") + 1] ^= 1
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of b.txt, in both its headers
        data[data.index(magic, data.index(magic) + 1) + offset] |= 1
    found = read(tmp_path, bytes(data), "zip")
    assert [(one.position, one.reason) if isinstance(one, Broken) else one for one in found] == [
        ("a.txt", "damaged (Bad CRC-32 for file 'a.txt')"),
        ("b.txt", "encrypted"),
        "text c.txt",
    ]


@pytest.mark.fault
def test_what_a_killed_run_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / "scratch" / "archive").mkdir(parents=True)
    for name in ("member", "archive/member"):
        (tmp_path / "scratch" / name).write_bytes(b"half of")
    assert read(tmp_path, zipped({"a.txt": "甲", "in.zip": zipped({"b.txt": "乙"})}), "zip") == ["甲", "乙"]


def test_links_are_no_files(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    seen = Seen()
    assert read(tmp_path, buffer.getvalue(), "tar", seen) == []
    assert seen.left_out == {"links and devices in archives": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"file: not a TAR archive, or damaged \(empty\)"),
        (b"hello" * 1000, "file: not a TAR archive, or damaged"),
        (tarred({"a.txt": b"a" * 3000})[:1500], r"a\.txt"),
        (tarred({"a.txt": b"a" * 512, "b.txt": b"b"})[:1024] + b"junk" * 400, r"file: damaged \("),
    ],
)
@pytest.mark.fault
def test_broken_archives_are_not_read_in_silence(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message):
        list(
            read_documents(path, "tar", Seen(), Reading(ReadingSettings(on_broken_record="stop"), tmp_path / "scratch"))
        )


def test_names_of_windows_archives(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("aaaa.jsonl")
        archive.writestr(info, "{")
    data = buffer.getvalue().replace(b"aaaa", "槐花".encode("gbk"))
    (broken,) = read(tmp_path, data, "zip")
    assert isinstance(broken, Broken)
    assert broken.position == "槐花.jsonl, line 1"


def test_a_long_header_is_not_held_in_memory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a header of 2,000,0\d\d bytes"):
        read(tmp_path, tarred({"a" * 2_000_000: b""}), "tar")


@pytest.mark.fault
def test_no_file_is_written_over_the_one_before(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": TEXT, "b.txt": "乙"}))
    second = data.rindex(b"PK\x01\x02")
    data[second + 8] |= 1  # encrypted, says the directory
    path, scratch = tmp_path / "file", tmp_path / "scratch"
    path.write_bytes(data)
    found = read_documents(path, "zip", Seen(), Reading(ReadingSettings(), scratch))
    assert next(found) == TEXT
    assert [one.name for one in scratch.iterdir()] == ["member"]
    broken = next(found)
    assert isinstance(broken, Broken)
    assert (broken.position, broken.reason) == ("b.txt", "encrypted")
    assert list(scratch.iterdir()) == []
