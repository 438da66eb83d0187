from pathlib import Path

import polars as pl

from lib.core.outputs import write_json
from lib.corpus.storage.reader import texts


def test_yields_source_and_text_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    shards = {"train/b/0000.parquet": ["一", "二"], "train/a/0001.parquet": ["三"], "validation/b/0000.parquet": ["四"]}
    for shard, documents in shards.items():
        path = tmp_path / shard
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"id": documents, "text": documents}).write_parquet(path)
    manifest = tmp_path / "manifest.json"
    train = [shard for shard in shards if shard.startswith("train")]
    write_json(manifest, {"facts": {"train": train, "validation": ["validation/b/0000.parquet"]}})
    assert list(texts(manifest, "train")) == [("b", "一"), ("b", "二"), ("a", "三")]
    assert list(texts(manifest, "validation")) == [("b", "四")]


def test_replayed_sources_are_left_out(tmp_path: Path) -> None:
    for source in ("a", "b"):
        (tmp_path / "train" / source).mkdir(parents=True)
        pl.DataFrame({"text": [source]}).write_parquet(tmp_path / "train" / source / "0000.parquet")
    train = ["train/a/0000.parquet", "train/b/0000.parquet"]
    write_json(tmp_path / "manifest.json", {"facts": {"train": train, "replay": ["a"]}})
    assert list(texts(tmp_path / "manifest.json", "train")) == [("b", "b")]
