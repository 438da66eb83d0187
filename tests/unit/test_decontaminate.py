import json
import sys
from pathlib import Path
from typing import Any

import decontaminate
import polars as pl
import pytest

from lib.deduplication import text_hashes
from lib.held_out import index_texts

PASSAGE = "大江东去浪淘尽千古风流人物故垒西边人道是三国周郎赤壁"


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """100 documents, two of which repeat held-out text; one is a duplicate."""
    for name in ("clean/news", "duplicates", "shared_lines", "mix", "held_out"):
        (tmp_path / name).mkdir(parents=True)
    texts = [f"这是第{number}篇文章。" for number in range(98)] + [f"词曰：{PASSAGE}", f"{PASSAGE}，又及"]
    frame = pl.DataFrame({"id": [f"news:{number:08d}" for number in range(100)], "text": texts})
    frame.with_columns(text_hashes(frame["text"])).write_parquet(tmp_path / "clean" / "news" / "0000.parquet")
    pl.DataFrame({"id": ["news:00000005"], "rule": ["exact_duplicate"]}).write_parquet(
        tmp_path / "duplicates" / "news.parquet"
    )
    pl.DataFrame(schema={"line": pl.UInt64}).write_parquet(tmp_path / "shared_lines" / "news.parquet")
    index_texts([("books:00000001", PASSAGE)], 20).save(tmp_path / "held_out")
    return tmp_path


def call(stage: Path, monkeypatch: pytest.MonkeyPatch, **mix: Any) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    (stage / "mix" / "news.json").write_text(json.dumps({"weight": 1, "max_characters": None, "before": None} | mix))
    output = stage / "train" / "news" / "0000.json"
    arguments = ["--settings", '{"decontamination_ngram": 20}', "--split", '{"validation_fraction": 1e-9}']
    arguments += [
        "--minimum-length",
        "1",
        "--seed",
        "1",
        "--source",
        "news",
        "--shard",
        "0",
        "--directory",
        str(stage),
        "--output",
        str(output),
    ]
    monkeypatch.setattr(sys, "argv", ["decontaminate.py", *arguments])
    decontaminate.main()
    train, found = (pl.read_parquet(stage / name / "news" / "0000.parquet") for name in ("train", "contaminated"))
    return train, found, json.loads(output.read_text(encoding="utf-8"))


def test_what_repeats_held_out_text_goes_and_is_listed(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, found, counts = call(stage, monkeypatch)
    assert found.rows() == [(f"news:000000{n}", PASSAGE[:20], "books:00000001") for n in (98, 99)]
    assert len(train) == 97
    assert counts["contaminated"]["documents"] == 2
    assert counts["train"]["documents"] == 97
    assert counts["weight"] == counts["max_characters"] == counts["repeat"] == {"documents": 0, "characters": 0}


def test_documents_are_taken_twice(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, _, counts = call(stage, monkeypatch, weight=2)
    assert train["id"][:3].to_list() == ["news:00000000", "news:00000000#2", "news:00000001"]
    assert train["id"].n_unique() == len(train) == 2 * 97
    assert counts["repeat"]["documents"] == 97


def test_some_documents_are_left_out(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, _, counts = call(stage, monkeypatch, weight=0.5, before=2**63)
    left = counts["weight"]["documents"] + counts["max_characters"]["documents"] + counts["contaminated"]["documents"]
    assert len(train) + left == 99
    assert 10 <= len(train) <= 40
