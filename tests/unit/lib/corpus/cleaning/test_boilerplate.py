import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus.cleaning.boilerplate import strip_boilerplate

BOILERPLATE = [
    "上一页 | 下一页",
    "首页 > 新闻 > 国内",
    "您的位置：首页 > 小说",
    "版权所有 © 2020 某某公司",
    "Copyright 2019 Example",
    "京ICP备12345678号",
    "未经许可，不得转载。",
    "责任编辑：王小明",
    "扫一扫二维码关注我们",
    "点击查看更多",
    "猜你喜欢",
    "最新评论（12）",
    "Back to top",
    "This site uses cookies to help",
    "Powered by WordPress",
]
TEXT = [
    "院子里的老槐树今年开花开得很晚。",
    "他返回了首页，又看了一遍声明和评论。",
    "def search(help):",
    "    return more",
    "",
    "登录",
]
LINES = st.lists(st.sampled_from(BOILERPLATE + TEXT), max_size=12)


@given(st.lists(LINES, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_lines_of_boilerplate_go_and_others_stay(documents: list[list[str]]) -> None:
    stripped = strip_boilerplate(pl.Series(["\n".join(lines) for lines in documents], dtype=pl.String))
    for lines, found in zip(documents, stripped, strict=True):
        kept = "\n".join(line for line in lines if line not in BOILERPLATE)
        whole = "\n".join(lines)
        assert found == (whole if kept == whole else re.sub("\n{3,}", "\n\n", kept).strip("\n"))


def test_the_empty_lines_of_code_without_boilerplate_stay() -> None:
    code = "def search():\n    return help\n\n\ndef more():\n    return 1"
    assert strip_boilerplate(pl.Series([code, "甲\n\n上一页\n\n乙"])).to_list() == [code, "甲\n\n乙"]


def test_advertisements_inside_a_line_go() -> None:
    text = "他推开门（本章未完，请翻页），走了进去。\n笔趣阁 www.example.com "
    assert strip_boilerplate(pl.Series([text])).to_list() == ["他推开门，走了进去。"]
