import json
import sys
from pathlib import Path

import polars as pl
import pytest
import split

from lib.deduplication import text_hashes

HASHES = text_hashes(pl.Series([f"文件{number}" for number in range(2000)]))


def test_the_share_held_out_is_about_what_was_asked_for() -> None:
    assert 60 <= split.is_held_out(HASHES, 0.05, 1).sum() <= 140


def test_the_split_hangs_on_text_and_seed_alone() -> None:
    held_out = split.is_held_out(HASHES, 0.3, 1)
    assert split.is_held_out(HASHES.reverse(), 0.3, 1).reverse().equals(held_out)
    assert split.is_held_out(HASHES[500:600], 0.3, 1).equals(held_out[500:600])
    assert not split.is_held_out(HASHES, 0.3, 2).equals(held_out)


def test_a_larger_share_holds_out_the_same_documents_and_more() -> None:
    few, many = (split.is_held_out(HASHES, fraction, 1) for fraction in (0.1, 0.2))
    assert not (few & ~many).any()


def test_duplicates_go_and_the_rest_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"news:{number}" for number in range(len(HASHES))]
    (tmp_path / "clean" / "news").mkdir(parents=True)
    (tmp_path / "duplicates").mkdir()
    frame = pl.DataFrame({"id": ids, "text": "四个字符", "hash": HASHES})
    frame.write_parquet(tmp_path / "clean" / "news" / "0000.parquet")
    duplicates = pl.DataFrame({"id": ["news:5", "news:7", "news:9999"], "duplicate_of": "news:1"})
    duplicates.write_parquet(tmp_path / "duplicates" / "news.parquet")
    output = tmp_path / "split" / "news" / "0000.json"
    arguments = ["--settings", '{"validation_fraction": 0.2}', "--seed", "1", "--source", "news", "--shard", "0"]
    monkeypatch.setattr(sys, "argv", ["split.py", *arguments, "--directory", str(tmp_path), "--output", str(output)])
    split.main()

    train, validation = (pl.read_parquet(tmp_path / name / "news" / "0000.parquet") for name in split.SPLITS)
    assert train.columns == validation.columns == ["id", "text"]
    assert sorted([*train["id"], *validation["id"], "news:5", "news:7"]) == sorted(ids)
    counts = json.loads(output.read_text())
    assert counts["duplicates"] == {"documents": 2, "characters": 8}
    assert counts["train"]["documents"] == len(train)
    assert counts["validation"]["characters"] == 4 * len(validation)
