import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lib.corpus.duplicates.contamination
from lib.core.errors import UserError
from lib.corpus.duplicates.contamination import Contamination, Index, benchmark_texts, index_texts
from lib.corpus.reading.documents import Reading
from lib.files.formats import format_of
from lib.files.text_files import Broken
from lib.settings.corpus import ReadingSettings
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


def read_benchmark(path: Path, **settings: Any) -> list[tuple[str, str] | Broken]:
    reading = Reading(ReadingSettings(**settings), scratch=path.parent / "unpacked")
    return list(benchmark_texts(path, str(format_of(path)), path.name, reading))


def test_all_strings_of_a_benchmark_count(tmp_path: Path) -> None:
    records = [{"question": "问", "choices": ["甲", "乙"], "answer": {"key": 1, "text": "乙"}}, {"question": "再问"}]
    (tmp_path / "a.json").write_text(json.dumps(records), encoding="utf-8")
    for name in ("a.jsonl", "a.ndjson"):
        (tmp_path / name).write_text("\n\n".join(map(json.dumps, records)), encoding="utf-8")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    for name in ("a.json", "a.jsonl", "a.ndjson", "a.jsonl.gz"):
        texts = [
            (f"{name}:0", "问"),
            (f"{name}:0", "甲"),
            (f"{name}:0", "乙"),
            (f"{name}:0", "乙"),
            (f"{name}:1", "再问"),
        ]
        assert read_benchmark(tmp_path / name) == texts
    pl.DataFrame({"q": ["问", "答"], "n": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"q": ["问", "答"]}).write_csv(tmp_path / "a.tsv", separator="\t")
    for name in ("a.parquet", "a.tsv"):
        assert read_benchmark(tmp_path / name) == [(f"{name}:0", "问"), (f"{name}:1", "答")]


def test_texts_and_pages_are_benchmarks_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("一整篇文章，写的是国家大事", encoding="gb18030")
    (tmp_path / "a.html").write_text(f"<html><body><p>{PASSAGE}</p></body></html>", encoding="utf-8")
    assert read_benchmark(tmp_path / "a.txt") == [("a.txt:0", "一整篇文章，写的是国家大事")]
    (page,) = read_benchmark(tmp_path / "a.html")
    assert isinstance(page, tuple)
    assert page[1].strip() == PASSAGE


def test_a_broken_record_of_a_benchmark_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "问"\n{"q": "\\ud800答"}\n', encoding="utf-8")
    broken, text = read_benchmark(path)
    assert isinstance(broken, Broken)
    assert broken.position == "line 1"
    assert text == ("a.jsonl:1", "\ufffd答")
    with pytest.raises(UserError, match=r"a\.jsonl, line 1: broken JSON .* corpus\.on_broken_record"):
        read_benchmark(path, on_broken_record="stop")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("a.json", b"[1, ", "broken JSON after record 1"), ("a.parquet", b"nothing", "not a Parquet file")],
)
def test_a_benchmark_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: {message}"):
        read_benchmark(tmp_path / name)
