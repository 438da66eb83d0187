import json
import sys
from pathlib import Path

import decontaminate
import polars as pl
import pytest

from lib.corpus.duplicates.contamination import index_texts

PASSAGE = "大江东去浪淘尽千古风流人物故垒西边人道是三国周郎赤壁"


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """100 documents, two of which repeat held-out text."""
    for name in ("train/news", "held_out"):
        (tmp_path / name).mkdir(parents=True)
    texts = [f"这是第{number}篇文章。" for number in range(98)] + [f"词曰：{PASSAGE}", f"{PASSAGE}，又及"]
    frame = pl.DataFrame({"id": [f"news:{number:08d}" for number in range(100)], "text": texts})
    frame.write_parquet(tmp_path / "train" / "news" / "0000.parquet")
    index_texts([("books:00000001", PASSAGE)], 20).save(tmp_path / "held_out")
    return tmp_path


def test_what_repeats_held_out_text_goes_and_is_listed(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = stage / "decontaminated" / "news" / "0000.json"
    arguments = ["--settings", '{"decontamination_ngram": 20}', "--source", "news", "--shard", "0"]
    arguments += ["--directory", str(stage), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["decontaminate.py", *arguments])
    decontaminate.main()
    before, after, found = (
        pl.read_parquet(stage / name / "news" / "0000.parquet") for name in ("train", "decontaminated", "contaminated")
    )
    assert found.rows() == [(f"news:000000{n}", PASSAGE[:20], "books:00000001") for n in (98, 99)]
    assert after.equals(before[:98])
    counts = json.loads(output.read_text(encoding="utf-8"))
    assert counts["contaminated"]["documents"] == 2
    assert counts["train"]["documents"] == 98
