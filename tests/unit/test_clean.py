import json
import sys
from pathlib import Path

import clean
import polars as pl
import pytest

from lib.corpus.quality.classifier import learn

FOLDERS = ("clean", "dropped", "signatures", "lines")


def cleaned(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    documents: pl.DataFrame,
    minimum_length: int,
    quality: Path | None = None,
    **rows: int,
) -> tuple[dict[str, pl.DataFrame], dict[str, dict[str, int]]]:
    """What the program makes of a shard, by folder, and its counts."""
    raw = directory / "raw" / "news" / "0003.parquet"
    raw.parent.mkdir(parents=True)
    documents.write_parquet(raw, **rows)
    output = directory / "clean" / "news" / "0003.json"
    arguments = ["--settings", json.dumps({"minimum_length": minimum_length}), "--source", "news", "--shard", "3"]
    arguments += ["--signatures", '{"near_duplicate_bands": 3, "near_duplicate_rows": 2}']
    arguments += ["--quality", str(quality)] if quality else []
    monkeypatch.setattr(sys, "argv", ["clean.py", *arguments, "--directory", str(directory), "--output", str(output)])
    clean.main()
    frames = {folder: pl.read_parquet(directory / folder / "news" / "0003.parquet") for folder in FOLDERS}
    return frames, json.loads(output.read_text())


def test_keeps_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = pl.DataFrame({"id": ["news:3", "news:7"], "text": ["<p>很短</p>", "<p>这个文件够长</p>"]})
    frames, counts = cleaned(tmp_path, monkeypatch, documents, 5)
    assert frames["clean"].columns == ["id", "text", "hash"]
    assert frames["clean"].select("id", "text").rows() == [("news:7", "这个文件够长")]
    assert frames["dropped"].rows(named=True) == [
        {"id": "news:3", "rule": "minimum_length", "value": 2.0, "text": "很短"}
    ]
    assert counts["strip_html"]["documents_changed"] == 2
    assert counts["minimum_length"]["documents_dropped"] == 1


def test_a_classifier_scores_what_the_rules_have_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = ([f"{word}{number}" for number in range(20)] for word in ("树下听祖母讲故事", "厂家批发价格优惠"))
    classifier, *_ = learn(good, bad)
    classifier.save(tmp_path / "classifier.npy")
    documents = pl.DataFrame({"id": ["n:0", "n:1", "n:2"], "text": ["祖母在树下讲故事", "批发价格优惠的厂家", "短"]})
    frames, counts = cleaned(tmp_path, monkeypatch, documents, 5, quality=tmp_path / "manifest.json")
    assert frames["clean"].columns == ["id", "text", "hash", "quality"]
    assert frames["clean"]["id"].to_list() == ["n:0"]
    assert frames["clean"]["quality"][0] > 0.5
    assert frames["dropped"].select("id", "rule").rows() == [("n:2", "minimum_length"), ("n:1", "minimum_quality")]
    assert frames["dropped"]["value"][1] == pytest.approx(classifier.scores(documents["text"])[1])
    assert counts["minimum_quality"]["documents_dropped"] == 1


def test_what_is_kept_has_a_signature_and_the_lines_that_others_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "一行足够长的、别的文章也会有的文字"
    texts = [f"<p>第一篇文章的文字</p>\n{line}", "太短", "第二篇文章的文字"]
    frames, _ = cleaned(tmp_path, monkeypatch, pl.DataFrame({"id": ["news:4", "news:8", "news:0"], "text": texts}), 5)
    signatures = frames["signatures"]
    assert signatures["number"].to_list() == [4, 0]
    assert signatures["text_hash"].to_list() == frames["clean"]["hash"].to_list()
    assert signatures["characters"].to_list() == frames["clean"]["text"].str.len_chars().to_list()
    assert signatures.columns[-4:] == ["signature", "band00", "band01", "band02"]
    assert signatures.schema["signature"] == pl.Array(pl.UInt16, 6)
    assert frames["lines"]["number"].to_list() == [4]


def test_the_result_does_not_depend_on_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"<p>这是第{number}个文件</p>" * (number % 3) for number in range(50)]
    documents = pl.DataFrame({"id": [f"news:{number}" for number in range(50)], "text": texts})
    results = []
    for batch in (1, 1 << 25):
        monkeypatch.setattr("lib.corpus.storage.batches.BATCH_BYTES", batch)
        frames, counts = cleaned(tmp_path / str(batch), monkeypatch, documents, 10, row_group_size=7)
        results.append(({folder: frame.rows() for folder, frame in frames.items()}, counts))
    assert results[0] == results[1]
    assert [len(results[0][0][folder]) for folder in FOLDERS] == [16, 34, 16, 0]


def test_an_empty_shard_gives_empty_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, counts = cleaned(tmp_path, monkeypatch, pl.DataFrame(schema={"id": pl.String, "text": pl.String}), 1)
    assert frames["clean"].columns == ["id", "text", "hash"]
    assert frames["dropped"].columns == ["id", "rule", "value", "text"]
    assert frames["signatures"].columns[:4] == ["number", "characters", "text_hash", "hash"]
    assert frames["lines"].columns == ["number", "line"]
    assert not any(map(len, frames.values()))
    assert counts["minimum_length"]["documents_in"] == 0
