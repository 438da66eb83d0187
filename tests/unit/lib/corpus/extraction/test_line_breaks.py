"""Breaks between the lines of running text."""

import pytest

from lib.corpus.extraction.line_breaks import marked, unwrapped


@pytest.mark.parametrize(
    ("text", "flowing"),
    [
        ("一行\n二行", "一行二行"),
        ("一 \n\t二", "一二"),
        ("a word\nanother", "a word another"),
        ("使用\nls\n命令", "使用 ls 命令"),
        ("甲，\nls（\n-a\n）。\n乙", "甲，ls（-a）。乙"),
        ("一 二，a b", "一 二，a b"),
        ("これは\nページの\nー説明です。\n次", "これはページのー説明です。次"),
        ("カーネル\nLinux\nの", "カーネル Linux の"),
        ("한국어\n글", "한국어 글"),
    ],
)
def test_a_break_is_a_space_between_words_and_nothing_between_characters_of_chinese_and_japanese(
    text: str, flowing: str
) -> None:
    assert unwrapped(marked(text)) == flowing
