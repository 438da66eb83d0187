from pathlib import Path

import polars as pl
import pytest

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.corpus.storage import shards
from lib.corpus.storage.batches import batches
from lib.corpus.storage.shards import (
    Counts,
    add,
    count_rows,
    deal,
    describe_file,
    read_shard,
    shard_paths,
    write_shard,
)


def test_documents_are_dealt_round_robin(tmp_path: Path) -> None:
    paths = shard_paths(tmp_path, 3)
    assert [path.name for path in paths] == ["0000.parquet", "0001.parquet", "0002.parquet"]
    assert list(deal(iter(["零", "一一", "二", "三"]), "news", paths)) == [(4, 5)]
    assert [pl.read_parquet(path).rows() for path in paths] == [
        [("news:00000000", "零"), ("news:00000003", "三")],
        [("news:00000001", "一一")],
        [("news:00000002", "二")],
    ]


def test_shards_are_written_in_several_pieces_when_the_text_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"第{number}回" for number in range(100)]
    monkeypatch.setattr(shards, "BUFFER_BYTES", 1000)
    paths = shard_paths(tmp_path, 3)
    assert len(list(deal(iter(texts), "a", paths))) > 5
    dealt = pl.concat([pl.read_parquet(path) for path in paths]).sort("id")
    assert dealt["text"].to_list() == texts


def test_no_documents(tmp_path: Path) -> None:
    (path,) = shard_paths(tmp_path, 1)
    assert list(deal(iter([]), "a", [path])) == [(0, 0)]
    assert pl.read_parquet(path).schema == {"id": pl.String, "text": pl.String}


def test_more_shards_than_the_system_has_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (256, 512))
    with pytest.raises(UserError, match=r"corpus.shards is 1000, but this system allows 512 open files"):
        list(deal(iter([]), "a", shard_paths(tmp_path, 1000)))


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [f"a:{number}" for number in range(1000)], "text": "合久必分，分久必合"})
    for name in ("one", "two"):
        write_shard(frame.clone(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    size = (tmp_path / "one").stat().st_size
    assert describe_file(tmp_path / "one") == {"bytes": size, "sha256": sha256_file(tmp_path / "one")}


def test_counts_add_up() -> None:
    counts: Counts = {}
    for texts in (["一二", "三"], [], ["四"]):
        add(counts, "kept", pl.DataFrame({"text": texts}, schema={"text": pl.String}))
    assert counts == {"kept": {"documents": 3, "characters": 4}}


@pytest.mark.parametrize("kept", [0, 3, 200, -9])
def test_a_shard_that_is_cut_off_or_damaged_is_one_clear_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "0000.parquet"
    pl.DataFrame({"id": ["a:00000000"], "text": ["槐花"]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:kept])
    for read in (read_shard, count_rows, lambda path: list(batches(path))):
        with pytest.raises(UserError, match=r"0000\.parquet cannot be read \(.*\); delete it and run again"):
            read(path)
    with pytest.raises(UserError, match=r"none\.parquet cannot be read"):
        read_shard(tmp_path / "none.parquet")
