import sys
from pathlib import Path

import deduplicate
import polars as pl
import pytest

from lib.corpus.duplicates.minhash import describe
from lib.settings.corpus import SignatureSettings
from lib.text.hashes import text_hashes

LONG = "日落西山红霞飞，战士打靶把营归。胸前红花映彩霞，愉快的歌声满天飞。歌声飞到北京去，听了心欢喜。"


def test_looks_at_all_shards_of_the_sources_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = {
        "books/0000": [("books:00000000", "x")],
        "books/0001": [("books:00000001", "y"), ("books:00000003", LONG)],
        "news/0000": [("news:00000000", "y"), ("news:00000002", "z")],
        "news/0001": [("news:00000001", "z"), ("news:00000003", f"{LONG}完")],
    }
    for name, rows in shards.items():
        path = tmp_path / "signatures" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pl.DataFrame(rows, schema=["id", "text"], orient="row")
        describe(frame.with_columns(text_hashes(frame["text"])), SignatureSettings()).write_parquet(path)
    output = tmp_path / "duplicates" / "news.parquet"
    arguments = ["--sources", "books", "news", "--shards", "2", "--directory", str(tmp_path), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["deduplicate.py", "--settings", "{}", *arguments])
    deduplicate.main()
    assert pl.read_parquet(output).select("id", "duplicate_of", "rule").rows() == [
        ("news:00000000", "books:00000001", "exact_duplicate"),
        ("news:00000002", "news:00000001", "exact_duplicate"),
        ("news:00000003", "books:00000003", "near_duplicate"),
    ]
    assert list(output.parent.iterdir()) == [output]
