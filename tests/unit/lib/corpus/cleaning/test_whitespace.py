"""Layout that means nothing goes; layout that is part of the text stays."""

import polars as pl
import pytest

from lib.corpus.cleaning.whitespace import collapse_whitespace, join_lines

TEXT = (
    "院子里的老槐树今年开花开得很晚，祖母说那是因为春天下了太久的雨。我们几个孩子搬着小板凳坐在树下，"
    "听她讲从前镇上修桥的故事，讲到高兴的地方她自己先笑起来，手里的蒲扇也忘了摇。"
)


def wrapped(text: str, width: int, indent: str = "") -> str:
    text = indent + text
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))


def joined(text: str) -> str:
    return str(join_lines(pl.Series([text]))[0])


def collapsed(text: str) -> str:
    return str(collapse_whitespace(pl.Series([text]))[0])


@pytest.mark.parametrize("width", [15, 20, 24])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_one_width_are_joined(width: int, end: str) -> None:
    assert joined(wrapped(TEXT, width).replace("\n", end)) == TEXT


JAPANESE = (
    "この命令はファイルを読み込んで、それぞれの行のはじめにあるスペースをすべて取りのぞいてから画面に表示します。"
    "オプションを付けずに実行した場合は、いま使っているディレクトリのなかにあるファイルがすべて対象になります。"
    "くわしいことは、それぞれのページの説明を読んでください。"
)


@pytest.mark.parametrize("width", [20, 33, 38])
def test_japanese_lines_are_joined_without_spaces(width: int) -> None:
    assert joined(wrapped(JAPANESE, width)) == JAPANESE


def test_an_indent_or_an_empty_line_begins_a_paragraph() -> None:
    assert joined(wrapped(TEXT, 20, "　　") + "\n" + wrapped(TEXT, 20, "　　")) == f"　　{TEXT}\n　　{TEXT}"
    assert joined(wrapped(TEXT, 20) + "\n\n" + wrapped(TEXT, 20)) == f"{TEXT}\n\n{TEXT}"


def test_english_words_keep_a_space_between_them() -> None:
    lines = [
        "我们在这里使用的是今年新发布的 Linux",
        "kernel 的最新版本，它支持了许多新的",
        "设备，并且修复了很多以前版本的问题，",
        "读者还可以把自己的意见写下来，寄给我",
        "们的小组，大家都可以放心地使用它。",
    ]
    assert joined("\n".join(lines)) == f"{lines[0]} {''.join(lines[1:])}"


@pytest.mark.parametrize(
    "text",
    [
        "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡",
        "滚滚长江东逝水，浪花淘尽英雄，是非成败转头空。\n青山依旧在那里呀，几度夕阳又红，白发渔樵江渚。\n" * 3,
        "老镇石桥重修工程下月开工并向全体居民征求意见\n春季植树活动在河边顺利举行并且种下了三百棵树\n" * 3,
        "短\n" * 9,
    ],
)
def test_verses_sentences_and_headlines_stay(text: str) -> None:
    assert joined(text) == text


def test_spaces_that_a_pdf_left_in_sentences_are_closed() -> None:
    spread = f"{TEXT[:10]} {TEXT[10:13]} {TEXT[13:30]} {TEXT[30:33]} {TEXT[33:]}"
    assert collapsed(spread) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "出席会议的老师有张三 李四 王五，还有从外地赶来参加的几位同学，他们带来了许多很好的意见，大家都很高兴。",
        "他念道：滚滚长江东逝水 浪花淘尽英雄传 是非成败转头空 青山依旧在夕阳，大家听了都说好，掌声响了很久很久。",
        "宴桃园豪杰三结义 斩黄巾英雄首立功",
        "张三 李四 王五",
    ],
)
def test_spaces_between_names_and_verses_stay(text: str) -> None:
    assert collapsed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "server:\n  port: 80  # 端口\n  hosts:\n    - 甲",
        "说明：\n\n```\n键：\n  值：  一\n```\n\n完",
        "def f(x):\n    return x\n\n\ndef g(x):\n\treturn x",
        "第一段。\n\n第二段。",
    ],
)
def test_code_and_paragraphs_keep_their_layout(text: str) -> None:
    assert collapsed(text) == text


def test_indentation_of_chinese_goes() -> None:
    assert collapsed("　　第一段。\n    第二段。\n \u00a0第三段。") == "第一段。\n第二段。\n第三段。"
