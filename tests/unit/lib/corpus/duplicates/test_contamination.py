import json
from functools import partial
from pathlib import Path

import polars as pl
import pytest

import lib.corpus.duplicates.contamination
from lib.core.errors import UserError
from lib.corpus.duplicates.contamination import Contamination, Index, benchmark_texts, index_texts
from lib.text.ngrams import folded_batches

PASSAGE = "大江东去浪淘尽千古风流人物故垒西边人道是三国周郎赤壁"


def test_texts_that_share_a_long_run_are_found(tmp_path: Path) -> None:
    index_texts([("验证:1", "没有关系"), ("验证:2", f"他念道：“{PASSAGE}”"), ("验证:3", PASSAGE)], 12).save(tmp_path)
    texts = pl.Series(
        ["不相干的一段文字，也不短，但是没有重复", "大江东去，浪淘尽，千古風流人物！", "大江东去，浪淘尽，千古", ""]
    )
    assert Contamination(Index.load(tmp_path), 12)(texts).rows() == [(1, "大江东去浪淘尽千古风流人", "验证:2")]


def test_a_long_text_is_found_once_wherever_the_run_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series(["短", "，".join("不相干的一段文字" * n + PASSAGE for n in (3, 1)), PASSAGE])
    whole = Contamination(index_texts([("验证:1", PASSAGE)], 12), 12)(texts).rows()
    assert [row for row, *_ in whole] == [1, 2]
    monkeypatch.setattr(lib.corpus.duplicates.contamination, "folded_batches", partial(folded_batches, characters=7))
    assert Contamination(index_texts([("验证:1", PASSAGE)], 12), 12)(texts).rows() == whole


def test_nothing_is_held_out(tmp_path: Path) -> None:
    index_texts([], 12).save(tmp_path)
    assert Contamination(Index.load(tmp_path), 12)(pl.Series([PASSAGE])).is_empty()
    index = index_texts([("a", PASSAGE)], 12)
    assert Contamination(index, 12)(pl.Series([], dtype=pl.String)).is_empty()


def test_all_strings_of_a_benchmark_count(tmp_path: Path) -> None:
    records = [{"question": "问", "choices": ["甲", "乙"], "answer": {"key": 1, "text": "乙"}}, {"question": "再问"}]
    (tmp_path / "a.json").write_text(json.dumps(records), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, records)), encoding="utf-8")
    for name in ("a.json", "a.jsonl"):
        rows = [(place.rpartition(":")[2], text) for place, text in benchmark_texts(tmp_path / name)]
        assert rows == [("0", "问"), ("0", "甲"), ("0", "乙"), ("0", "乙"), ("1", "再问")]
    (tmp_path / "a.txt").write_text("一整篇", encoding="utf-8")
    pl.DataFrame({"q": ["问", "答"], "n": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"q": ["问", "答"]}).write_csv(tmp_path / "a.tsv", separator="\t")
    assert [text for _, text in benchmark_texts(tmp_path / "a.txt")] == ["一整篇"]
    assert [text for _, text in benchmark_texts(tmp_path / "a.parquet")] == ["问", "答"]
    assert [text for _, text in benchmark_texts(tmp_path / "a.tsv")] == ["问", "答"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"[1, ", "cannot be read as a benchmark"),
        ("a.parquet", b"nothing", "cannot be read as a benchmark"),
        ("a.txt", "文".encode("gbk"), "not UTF-8"),
    ],
)
def test_a_benchmark_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: {message}"):
        list(benchmark_texts(tmp_path / name))
