import json
import sys
from pathlib import Path

import polars as pl
import pytest
import split

from lib.deduplication import text_hashes
from lib.draws import are_held_out
from lib.shared_lines import line_keys

FOOTER = "本网站由某某网络科技有限公司维护"
HASHES = text_hashes(pl.Series([f"文件{number}" for number in range(2000)]))


def share_lines(directory: Path, *lines: str) -> None:
    (directory / "shared_lines").mkdir()
    keys = line_keys(pl.Series(lines, dtype=pl.String))
    pl.DataFrame({"line": keys}).write_parquet(directory / "shared_lines" / "news.parquet")


def call(directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, int]]:
    output = directory / "split" / "news" / "0000.json"
    arguments = ["--settings", '{"validation_fraction": 0.2}', "--seed", "1", "--source", "news", "--shard", "0"]
    arguments += ["--minimum-length", "4", "--directory", str(directory), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["split.py", *arguments])
    split.main()
    counts: dict[str, dict[str, int]] = json.loads(output.read_text())
    return counts


def test_duplicates_go_and_the_rest_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"news:{number}" for number in range(len(HASHES))]
    (tmp_path / "clean" / "news").mkdir(parents=True)
    (tmp_path / "duplicates").mkdir()
    frame = pl.DataFrame({"id": ids, "text": "四个字符", "hash": HASHES})
    frame.write_parquet(tmp_path / "clean" / "news" / "0000.parquet")
    rules = ["exact_duplicate", "near_duplicate", "near_duplicate", "exact_duplicate"]
    duplicates = pl.DataFrame({"id": ["news:5", "news:7", "news:8", "news:9999"], "rule": rules})
    duplicates.write_parquet(tmp_path / "duplicates" / "news.parquet")
    share_lines(tmp_path)
    counts = call(tmp_path, monkeypatch)
    validation = pl.read_parquet(tmp_path / "validation" / "news" / "0000.parquet")
    assert validation.columns == ["id", "text"]
    held_out = {name for name, is_held_out in zip(ids, are_held_out(HASHES, 0.2, 1), strict=True) if is_held_out}
    assert set(validation["id"]) == held_out - {"news:5", "news:7", "news:8"}
    assert counts["exact_duplicate"] == {"documents": 1, "characters": 4}
    assert counts["near_duplicate"] == {"documents": 2, "characters": 8}
    assert counts["train"]["documents"] == len(ids) - 3 - len(validation)
    assert counts["validation"]["characters"] == 4 * len(validation)


def test_shared_lines_go_and_with_them_documents_that_are_too_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"正文四字\n{FOOTER}"] * 1998 + [f"三个字\n{FOOTER}", "三个字"]
    ids = [f"news:{number}" for number in range(len(texts))]
    (tmp_path / "clean" / "news").mkdir(parents=True)
    (tmp_path / "duplicates").mkdir()
    frame = pl.DataFrame({"id": ids, "text": texts, "hash": HASHES})
    frame.write_parquet(tmp_path / "clean" / "news" / "0000.parquet")
    pl.DataFrame(schema={"id": pl.String, "rule": pl.String}).write_parquet(tmp_path / "duplicates" / "news.parquet")
    share_lines(tmp_path, FOOTER)
    counts = call(tmp_path, monkeypatch)

    assert counts["shared_lines"] == {
        "documents": 1,
        "characters": 4 + len(FOOTER),
        "changed": 1998,
        "removed": 1998 * (1 + len(FOOTER)),
    }
    emptied = pl.read_parquet(tmp_path / "emptied" / "news" / "0000.parquet")
    assert emptied.rows() == [("news:1998", f"三个字\n{FOOTER}")]
    # What was short before was let through by a setting of its own, and stays.
    assert counts["train"]["documents"] + counts["validation"]["documents"] == 1999
    validation = pl.read_parquet(tmp_path / "validation" / "news" / "0000.parquet")
    assert set(validation["text"]) <= {"正文四字", "三个字"}
