from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus.duplicates import shared_lines
from lib.corpus.duplicates.shared_lines import (
    BORDER,
    border_lines,
    find_shared,
    line_keys,
    with_examples,
    without_shared_lines,
)
from lib.corpus.storage.shards import document_id
from lib.text import chunks

FOOTER = "本页面中文版由中文手册页计划提供。"
HEAD = "《科学画报》一九八五年第七期"


def key(line: str) -> int:
    return int(line_keys(pl.Series([line]))[0])


def frame(*texts: str) -> pl.DataFrame:
    ids = [document_id("web", number) for number in range(len(texts))]
    return pl.DataFrame({"id": ids, "text": texts}, schema={"id": pl.String, "text": pl.String})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{HEAD} 12", f"— 347 — {HEAD}"),
        (f"第 3 页 {HEAD}", f"{HEAD} 第12页，共20页"),
        ("《中国linux论坛man手册页翻译计划》:", "《中国 Linux 论坛 man 手册页翻译计划》"),
        ("版權所有，翻印必究，某某網路公司", "版权所有，翻印必究，某某网路公司。"),
        ("＊＊＊本站内容由网友上传，仅供参考＊＊＊", "本站内容由网友上传，仅供参考"),
    ],
)
def test_lines_that_are_the_same_but_for_their_ornaments(one: str, other: str) -> None:
    assert key(one) == key(other) != 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("一九八五年第七期科学画报出版社", "一九八五年第八期科学画报出版社"),
        ("最高气温12度，最低气温3度，偏北风", "最高气温15度，最低气温3度，偏北风"),
    ],
)
def test_lines_that_differ(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "line", ["是。", "“好的，我知道了。”", "参见 SEE ALSO", "=" * 20, "2024-01-01 12:30:45 2024-01-02", "长" * 301, ""]
)
def test_lines_that_are_never_shared(line: str) -> None:
    assert key(line) == 0


def test_only_lines_at_the_borders_count_and_each_once() -> None:
    inner = [f"这是正文的第{number}行，各行都不相同" for number in range(30)]
    lines = border_lines(frame("\n".join([FOOTER, *inner, FOOTER])))
    assert lines["number"].unique().to_list() == [0]
    expected = [FOOTER, *inner[: BORDER - 1], *inner[-BORDER + 1 :]]
    assert lines["line"].to_list() == [key(line) for line in expected]


texts = st.lists(
    st.sampled_from([FOOTER, HEAD, "是。", "正文一行一行又一行又一行", "另一行正文也是长长的一行"]), max_size=6
)


@given(st.lists(texts.map("\n".join), max_size=30), st.integers(1, 7), st.integers(1, 5), st.sets(st.integers(0, 29)))
@settings(max_examples=50, deadline=None)
def test_counts_are_those_of_a_plain_count_for_any_number_of_shards(
    tmp_path_factory: pytest.TempPathFactory, documents: list[str], shards: int, least: int, gone: set[int]
) -> None:
    directory = tmp_path_factory.mktemp("lines")
    files = [directory / f"{shard}.parquet" for shard in range(shards)]
    for shard, file in enumerate(files):
        border_lines(frame(*documents)[shard::shards]).write_parquet(file)
    expected: dict[int, set[int]] = {}
    for number, text in enumerate(documents):
        for line in text.split("\n"):
            if number not in gone and key(line):
                expected.setdefault(key(line), set()).add(number)
    found = find_shared(files, gone, least)
    assert set(found.rows()) == {
        (line, len(numbers), min(numbers)) for line, numbers in expected.items() if len(numbers) >= least
    }


def test_lines_that_share_a_bucket_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_lines, "BUCKETS", 1)
    border_lines(frame(f"{FOOTER}\n{HEAD}", FOOTER, FOOTER)).write_parquet(tmp_path / "a")
    assert find_shared([tmp_path / "a"], [], 2)["line"].to_list() == [key(FOOTER)]


def test_examples_come_from_the_first_document_that_has_the_line(tmp_path: Path) -> None:
    documents = frame("甲", f"乙\n{HEAD} 3\n{HEAD} 4", f"{HEAD} 5", "丁")
    files = [tmp_path / "0", tmp_path / "1"]
    for shard, file in enumerate(files):
        documents[shard::2].write_parquet(file)
    found = pl.DataFrame({"line": [key(HEAD)], "documents": [2], "number": [1]})
    assert with_examples(found, "web", files).rows() == [(key(HEAD), 2, f"{HEAD} 3")]
    assert with_examples(found[:0], "web", files).columns == ["line", "documents", "text"]


def test_removal_leaves_everything_else_as_it_is() -> None:
    shared = pl.Series([key(FOOTER), key(HEAD)])
    before = pl.Series([f"{HEAD} 12\n\n甲\n是。\n{HEAD} 13\n乙\n{FOOTER}", FOOTER, "丙\n丁", "", f"他说：{FOOTER}"])
    after = without_shared_lines(before, shared)
    assert after.to_list() == ["甲\n是。\n乙", "", "丙\n丁", "", f"他说：{FOOTER}"]
    assert without_shared_lines(after, shared).equals(after)
    assert without_shared_lines(before, shared.clear()).equals(before)


@given(
    st.lists(
        st.lists(st.sampled_from([HEAD, FOOTER, "是。", "很长的一行文字，" * 4]), max_size=40), min_size=1, max_size=3
    )
)
@settings(max_examples=50, deadline=None)
def test_long_documents_are_looked_at_in_pieces(documents: list[list[str]]) -> None:
    texts = frame(*("\n".join(lines) for lines in documents))
    shared = line_keys(pl.Series([HEAD, FOOTER]))
    lines, rest = border_lines(texts), without_shared_lines(texts["text"], shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "PIECE_BYTES", 400)
        assert border_lines(texts).sort("number", "line").equals(lines.sort("number", "line"))
        assert without_shared_lines(texts["text"], shared).to_list() == rest.to_list()


def test_empty_lines_do_not_count_and_none_is_doubled() -> None:
    footer = "本文由长河编辑部的三位编辑共同整理，欢迎来信。"
    documents = pl.DataFrame(
        {"id": [f"a:{number:08}" for number in range(12)], "text": [f"第{n}篇\n\n{footer}\n\n完" for n in range(12)]}
    )
    lines = border_lines(documents)
    shared = lines.group_by("line").len().filter(pl.col("len") == 12)["line"]
    assert without_shared_lines(documents["text"], shared).to_list() == [f"第{n}篇\n\n完" for n in range(12)]
