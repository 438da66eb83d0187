"""A source that is read in parts gives, to the bit, what it gives as a whole."""

import gzip
import json
import random
import sys
from pathlib import Path
from typing import Any

import clean
import fetch
import gather
import polars as pl
import pytest

from lib.core.errors import UserError
from lib.corpus.fetching import parts as division
from lib.corpus.fetching.parts import part_names

SHARDS = 3
CLEANING = {"minimum_length": 1, "languages": [], "maximum_repeated_ngrams": 1, "maximum_repeated_characters": 1}


def call(program: Any, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [program.__file__, *map(str, arguments)])
    program.main()


def read(folder: Path, uri: Path, parts: int, monkeypatch: pytest.MonkeyPatch, **row: str) -> dict[str, Any]:
    """Fetch a source in `parts` and clean it; the facts of reading."""
    output = folder / "raw" / "news.json"
    source = json.dumps({"name": "news", "uri": str(uri), **row})
    reading = ("--settings", "{}", "--source", source, "--shards", SHARDS, "--downloads", folder / "downloads")
    names = part_names(parts) if parts > 1 else []
    for name in names:
        call(fetch, monkeypatch, *reading, "--part", name, "--output", folder / "raw" / "news" / f"{name}.json")
    if names:
        call(gather, monkeypatch, "--settings", "{}", "--source", "news", "--parts", parts, "--output", output)
    else:
        call(fetch, monkeypatch, *reading, "--output", output)
    settings = ("--settings", json.dumps(CLEANING), "--signatures", "{}", "--source", "news", "--directory", folder)
    for shard in range(SHARDS):
        done = folder / "clean" / "news" / f"{shard:04d}.json"
        of_parts = ("--shards", SHARDS, "--parts", parts) if names else ()
        call(clean, monkeypatch, *settings, "--shard", shard, *of_parts, "--output", done)
    facts: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return facts


def cleaned(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for step in ("clean", "dropped", "signatures", "lines")
        for path in sorted((folder / step / "news").iterdir())
    }


def without_checksums(facts: dict[str, Any]) -> dict[str, Any]:
    files = [file | {"sha256": None} for file in facts["files"]]
    return {key: value for key, value in facts.items() if key != "parts"} | {"files": files}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Files of all kinds: large ones that are divided, and others."""
    some = random.Random(1)
    texts = [f"第{number}篇：" + "槐花柳絮院子"[: number % 6 + 1] * some.randint(0, 30) for number in range(400)]
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    lines = [json.dumps(text, ensure_ascii=False) if number % 50 else "{broken" for number, text in enumerate(texts)]
    (data / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")  # without a line break at its end
    (data / "b.txt").write_text("一个文件" * 500, encoding="utf-8")
    pl.DataFrame({"text": texts}).write_parquet(data / "c.parquet", row_group_size=13)
    (data / "d.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (data / "sub" / "e.jsonl").write_bytes("\r\n".join(lines).encode("gb18030"))
    (data / "sub" / "f.jsonl").write_text("\n".join(lines), encoding="utf-16")
    (data / "sub" / "g.txt").touch()
    (data / "notes.doc").write_bytes(b"\xd0\xcf")
    (data / "z.txt").touch()
    return data


@pytest.mark.parametrize("parts", [2, 3, 8, 40])
def test_any_number_of_parts_gives_the_same(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    monkeypatch.setattr(division, "DIVIDED_BYTES", 1_000)
    expected = read(tmp_path / "whole", mixed, 1, monkeypatch)
    facts = read(tmp_path / "parts", mixed, parts, monkeypatch)
    assert sum(facts["parts"]) == facts["documents"] == expected["documents"] > 1_900
    assert len(facts["parts"]) == parts
    assert without_checksums(facts) == without_checksums(expected)
    assert facts["encodings"] == {"ascii": 2, "gb18030": 1, "utf-16": 1, "utf-8": 4}
    assert facts["quarantined"] == {"broken": 32}
    assert cleaned(tmp_path / "parts") == cleaned(tmp_path / "whole")
    one, other = (
        pl.read_parquet(tmp_path / folder / "quarantine" / "news.parquet").drop("position")
        for folder in ("whole", "parts")
    )
    assert one.equals(other)


def test_what_several_jobs_read_is_counted_once_and_says_where_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(division, "DIVIDED_BYTES", 10)
    (tmp_path / "a.jsonl").write_text('"甲"\n"乙"\n"丙"\n{broken\n"丁"\n', encoding="utf-8")
    facts = read(tmp_path / "out", tmp_path / "a.jsonl", 2, monkeypatch)
    (row,) = facts["files"]
    assert (row["documents"], row["quarantined"], row["sha256"]) == (4, 1, None)
    (record,) = pl.read_parquet(tmp_path / "out" / "quarantine" / "news.parquet").to_dicts()
    assert record["position"] == "line 1 from byte 16 on"
    assert "1 records in quarantine; the first one: a.jsonl, line 1 from byte 16 on" in capsys.readouterr().out


def test_a_line_that_is_longer_than_parts_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "DIVIDED_BYTES", 10)
    text = "长" * 3_000
    (tmp_path / "a.jsonl").write_text(f'"短"\n"{text}"\n"尾"\n', encoding="utf-8")
    facts = read(tmp_path / "out", tmp_path / "a.jsonl", 9, monkeypatch)
    assert sum(count > 0 for count in facts["parts"]) == 2
    assert facts["documents"] == 3
    ids = pl.concat([pl.read_parquet(path) for path in (tmp_path / "out" / "clean" / "news").glob("*.parquet")])
    assert ids.sort("id")["text"].to_list() == ["短", text, "尾"]


def test_files_that_change_between_parts_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('"甲"\n"乙"\n', encoding="utf-8")
    reading = ("--settings", "{}", "--source", json.dumps({"name": "news", "uri": str(path)}), "--shards", 1)
    raw = tmp_path / "out" / "raw"
    call(fetch, monkeypatch, *reading, "--part", "1-of-2", "--output", raw / "news" / "1-of-2.json")
    path.write_text('"甲"\n"乙"\n"丙"\n', encoding="utf-8")
    call(fetch, monkeypatch, *reading, "--part", "2-of-2", "--output", raw / "news" / "2-of-2.json")
    parts = ("--source", "news", "--parts", "2", "--output", raw / "news.json")
    with pytest.raises(UserError, match=r"a\.jsonl changed while its parts were read"):
        call(gather, monkeypatch, "--settings", "{}", *parts)
    assert not (raw / "news.json").exists()


def test_a_source_of_which_no_part_can_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_text("{broken\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"no record can be read; the first one: a\.jsonl, line 1: broken JSON"):
        read(tmp_path / "out", tmp_path / "a.jsonl", 2, monkeypatch)


def test_a_part_is_named_by_its_number_and_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ("--source", json.dumps({"name": "news", "uri": "x"}), "--shards", 1, "--output", tmp_path / "x.json")
    with pytest.raises(UserError, match="--part '2' must be written like 2-of-4"):
        call(fetch, monkeypatch, "--settings", "{}", *source, "--part", "2")
