import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.reading.chapters import MINIMUM_PART, divided

SENTENCE = "院子里的老槐树今年开花开得很晚，祖母说那是因为春天下了太久的雨。"
CHAPTER = "".join(f"{SENTENCE * 5}\n" for _ in range(10))


def novel(*headings: str) -> str:
    return "".join(f"{heading}\n{CHAPTER}" for heading in headings)


@pytest.mark.parametrize(
    "headings",
    [
        ("第一回 宴桃园豪杰三结义", "第二回 张翼德怒鞭督邮", "第一百二十回 荐杜预老将献新谋"),
        ("　　第1章　槐花", "第２章", "第 10 章 结局（上）"),
        ("正文 第三卷 风雨", "楔子", "番外一"),
        ("Chapter 1", "CHAPTER II. In Which Much Rain Falls", "Part Three"),
    ],
)
def test_parts_begin_at_headings(headings: tuple[str, ...]) -> None:
    parts = list(divided(novel(*headings), 2_000))
    assert parts == [f"{heading}\n{CHAPTER}" for heading in headings]


def test_headings_of_markdown_stand_behind_an_empty_line() -> None:
    sections = [f"{heading}\n\n{CHAPTER}\n" for heading in ("# 安装", "## 配置 `a`", "### 常见问题")]
    assert list(divided("".join(sections), 2_000)) == sections
    commands = f"{CHAPTER}# apt update\n" * 3
    assert not any(part.startswith("#") for part in divided(commands, 2_000))


def test_what_stands_before_the_first_heading_and_short_chapters_are_joined() -> None:
    contents = "第一章 槐花\n第二章 柳絮\n"
    text = f"书名\n{contents}{novel('第一卷 春', '第一章 槐花')}第二章 柳絮\n短。\n"
    parts = list(divided(text, 2_000))
    assert parts == [
        f"书名\n{contents}第一卷 春\n{CHAPTER}",
        f"第一章 槐花\n{CHAPTER}第二章 柳絮\n短。\n",
    ]


def test_sentences_are_no_headings() -> None:
    line = "第一章讲的是祖母的故事，第二章讲的是河。\nPart of it was true. #话题\n第三次回家，他哭了。\n"
    assert len(list(divided(line * 100, 30_000))) == 1
    assert all(part.startswith("第一章讲的是") for part in divided(line * 100, 3_000))


def test_short_documents_and_pages_stay_whole() -> None:
    text = novel("第一章", "第二章")
    assert list(divided(text, len(text))) == [text]
    page = f"<!doctype html>\n{text}"
    assert list(divided(page, 1_000)) == [page]


@pytest.mark.parametrize("end", ["\n\n", "\n", ""])
def test_long_chapters_are_cut_at_ends_of_paragraphs(end: str) -> None:
    text = f"{SENTENCE * 3}{end}" * 300
    parts = list(divided(text, 5_000))
    assert "".join(parts) == text
    assert all(part.endswith(end or "。") for part in parts)
    assert all(3_000 < len(part) <= 5_000 for part in parts)


def test_text_without_any_end_is_cut_all_the_same() -> None:
    assert [len(part) for part in divided("槐" * 10_500, 5_000)] == [3_500] * 3


@given(st.lists(st.sampled_from(["第一章 花\n", "\n", "\n\n", "句。", "字" * 200, "# a\n"]), max_size=200))
def test_parts_together_are_the_document(pieces: list[str]) -> None:
    text = "".join(pieces)
    parts = list(divided(text, MINIMUM_PART))
    assert "".join(parts) == text
    assert all(parts) or not text


def test_many_lines() -> None:
    lines = random.Random(1).choices([SENTENCE, "", "    ", "1", "-" * 50], k=200_000)
    parts = list(divided("\n".join(lines), 20_000))
    assert max(map(len, parts)) <= 20_000
