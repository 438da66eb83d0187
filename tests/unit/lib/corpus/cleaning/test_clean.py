import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus.cleaning.clean import clean, clean_texts, steps
from lib.corpus.cleaning.filters import RULES
from lib.corpus.cleaning.normalize import is_kept_by_unicode_form, unicode_form
from lib.corpus.cleaning.rewrite import MAX_ROUNDS
from lib.settings.corpus import CleaningSettings
from lib.text import chunks

EVERYTHING = CleaningSettings()
SWITCHES = tuple(dict.fromkeys(step.name for step in steps(EVERYTHING)))
ALWAYS_ON = [rule.name for rule in RULES if rule.is_on(EVERYTHING)]


def only(step: str) -> CleaningSettings:
    return CleaningSettings.model_validate({name: name == step for name in SWITCHES})


@pytest.mark.parametrize(
    "text",
    [
        "a < b",
        "3 < 5 > 2",
        "a<b",
        "x <- y -> z",
        "我 <3 你",
        "if a <b and c> d",
        "if (a<b && c>d) return;",
        "for (i=0; i<p; i++)",
        "<<三国演义>>",
        "《三国演义》〈序〉",
        "<三国>",
        "List<String> x = new ArrayList<>();",
        "Map<String, List<Integer>> counts;",
        "Box<A> and Pair<A, B>",
        "List<Object> and Map<Data>",
        "fn f<'a>(x: &'a str) -> Vec<u8>",
        "std::vector<int> v;",
        "#include <stdio.h>",
        "#include <map>",
        "cp <source> <dest>",
        "use the <script> tag",
        "<!-- never closed",
        "<a href='never closed",
        "<https://example.invalid>",
        "<|im_end|> <think> <unk>",
        "<?php echo 1 ?>",
        "AT&T, R&D; a&lt b",
        "?a=1&copy=2",
        "&nonsense; &;",
        "“你好，世界！”——他说：“再见……”",
        "（一）；「二」？～…",
        "10² x₁ ½ ① ™ ´",
        "ไทย हिन्दी عربي 한국어 ひらがな",
        "नहीं\u200dक می\u200cخواهم 👩\u200d👧",
        "葛\U000e0100城 ❤\ufe0f",
        "第 1 回 chapter one",
    ],
)
def test_look_alikes_stay_as_they_are(text: str) -> None:
    assert clean_texts([text], EVERYTHING) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>你好</p><p>世界</p>", "你好\n世界"),
        ("<div class=\"a>b\" id='x'>文</div>", "文"),
        ("<b>粗</b>体和<I CLASS=x>斜</I>体", "粗体和斜体"),
        ("一<br>二<BR/>三<br />四", "一\n二\n三\n四"),
        ("<td>甲</td><td>乙</td>", "甲\n乙"),
        ("见<a href=http://example.invalid/?a=1&b=2>此</a>", "见此"),
        ('<a href="x>断开的引号">链接</a>', "链接"),
        ("<img src=x.png>图", "图"),
        ("<input checked>选", "选"),
        ("<source src='a'>声", "声"),
        ("<o:p></o:p>文", "文"),
        ("<!-- <b>注释</b> -->文<!---->", "文"),
        ("<script>var a = '<p>' < 1;</script>正文", "正文"),
        ("<STYLE type='text/css'>p > a {}</STYLE>正文", "正文"),
        ("<svg><text>图</text></svg>正文", "正文"),
        ("<![CDATA[数据]]>", "数据"),
        ("<?xml version='1.0'?>正文", "正文"),
        ("A&amp;B &lt;三国&gt; 1 &lt; 2", "A&B <三国> 1 < 2"),
        ("&#20013;&#x6587;&hellip;", "中文…"),
        ("&lt;b&gt;粗&lt;/b&gt;", "粗"),
        ("&amp;amp;nbsp;文", "文"),
        ("<!DOCTYPE html>\n<html><head><title>题</title></head><body><p>一\n行<p>二</body></html>", "一行\n二"),
        ("ＡＢＣ１２３", "ABC123"),
        ("ｱﾞｶﾞ", "ア\u3099ガ"),
        ("\ufb01ne \u2f00 \uf900", "fine \u4e00\u8c48"),
        ("e\u0301", "é"),
        ("％＆＝｛｝", "%&={}"),
        ("一\u3000二 A\u3000B", "一二 A B"),
        ("\ufeff零\u200b宽\u00ad度\x00\x07", "零宽度"),
        ("很\ue0b1好", "很\ufffd好"),
        ("\uf0b7 第一条\n\uf0b7\t第二条", "第一条\n第二条"),
        ("\ue61d \ue61e微信 \ue61f微博 \ue620\n正文", "微信 微博\n正文"),
        ("\x1b[1;33m黄\x1b[0m色", "黄色"),
        ("a\u200db", "ab"),
        ("  一行  \n\n\t二行\u3000\r\n\r\n\r\n三行\u2028四行", "一行\n\n二行\n\n三行\n四行"),
        ("def f(x):\n    return x\t \n\n\n\nf(1)  + 2", "def f(x):\n    return x\n\n\nf(1) + 2"),
        ("键:\n  - 值\n　　段落", "键:\n  - 值\n段落"),
        ("中 文 字 符 号", "中文字符号"),
        ("你好 ， 世界 。", "你好，世界。"),
        ("two  words\tand\u00a0more", "two words and more"),
        ("中 English 文", "中 English 文"),
        ("＜ｂ＞粗＜／ｂ＞", "粗"),
        ("<\u200bb>粗</b\u200b>", "粗"),
        ("<<b>b>粗", "粗"),
        (" \n\t", ""),
        ("", ""),
    ],
)
def test_cleaned(text: str, expected: str) -> None:
    assert clean_texts([text], EVERYTHING) == [expected]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("strip_html", "Ａ\u200b  中 文"),
        ("strip_control", "<b>Ａ  中 文</b>"),
        ("unicode_form", "<b>A\u200b  中 文</b>"),
        ("collapse_whitespace", "<b>Ａ\u200b 中文</b>"),
        ("none", "<b>Ａ\u200b  中 文</b>"),
    ],
)
def test_each_step_by_itself(step: str, expected: str) -> None:
    assert clean_texts(["<b>Ａ\u200b  中 文</b>"], only(step)) == [expected]


# fmt: off
FRAGMENTS = [
    "<b>", "</b>", "<p>", "<br/>", '<div class="x">', '<a href="', '">', "<script>", "</script>", "<svg>", "</svg>",
    "<title>", "</title>", "<pre>", "<html>", "<!doctype html>", "<!--", "-->", "<![CDATA[", "]]>", "&lt;", "&gt;",
    "&amp;", "&#38;", "&#x3c;", "&nbsp;", "&#8203;", "&", "lt;", "amp;", ";", "<", ">", "/", "b", "p", "a", "<T>",
    "＜", "＞", "＆", "ｂ", "ｌｔ；", "中", "文", "，", " ", "\u3000", "\n", "\r", "\u2028", "\x00", "\x1c", "\u200b",
    "\u200c", "\u200d", "\ufeff", "\ue000", "²", "´", "…", "ﷺ", "\u0645", "👩", "e", "\u0301", "\u1100", "\u1161",
    "訓(xùn)", "(", ")", "（", "yù", "！！", "？！", "。。", "……", "返回首页", " | ", "版权所有 © 2020", "鎴戜滑",
    "浠婂", "澶╂", "ä½\xa0å¥½", "Ã©", "â€™", "漢", "发", "头", "@", "a@b.org", "13812345678", "1", "110105194912310",
    "02X", "+44", "4111111111111111", "203.119.86.101", "2400:3200::1", ".", ":", "-", "[", "]", "锟斤拷", "\ufffd",
    "他 把 书 放在 桌上 就 走 了", " 的", " 天地",
]
# fmt: on
texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=2)), max_size=14).map("".join),
)
any_settings = st.builds(
    CleaningSettings,
    chinese_variant=st.sampled_from(["unchanged", "simplified", "traditional"]),
    **dict.fromkeys(SWITCHES, st.booleans()),
)


@given(st.lists(texts, min_size=10, max_size=30), any_settings)
@settings(max_examples=150, deadline=None)
def test_cleaning_a_clean_document_changes_nothing(documents: list[str], chosen: CleaningSettings) -> None:
    once = clean_texts(documents, chosen)
    assert clean_texts(once, chosen) == once


@given(st.lists(texts, min_size=1, max_size=5), st.integers(48, 200), any_settings)
@settings(max_examples=150, deadline=None)
def test_cleaning_a_clean_document_that_is_cut_into_pieces_changes_nothing(
    documents: list[str], size: int, chosen: CleaningSettings
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "PIECE_BYTES", size)
        once = clean_texts(documents, chosen)
        assert clean_texts(once, chosen) == once


def test_a_long_document_is_cleaned_as_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"<b>第{number}行</b>有字&amp;lt;b&amp;gt;写信 a{number}@example.com。" for number in range(50)]
    documents = pl.DataFrame({"id": ["a", "b", "c"], "text": ["很短", "\n\n".join(lines), "<html><body><p>页</p>"]})
    chosen = CleaningSettings(minimum_length=1, maximum_symbols=1, maximum_digits=1, maximum_repeated_ngrams=1)
    whole = clean(documents, chosen)
    monkeypatch.setattr(chunks, "PIECE_BYTES", 300)
    cut = clean(documents, chosen)
    assert cut.kept.equals(whole.kept)
    assert cut.counts == whole.counts
    assert cut.dropped.drop("value").equals(whole.dropped.drop("value"))


@given(st.lists(texts, min_size=2, max_size=8))
@settings(max_examples=50, deadline=None)
def test_a_document_is_cleaned_without_regard_to_its_neighbours(documents: list[str]) -> None:
    assert clean_texts(documents, EVERYTHING) == [clean_texts([text], EVERYTHING)[0] for text in documents]


def test_every_character_of_unicode_is_clean_after_one_pass() -> None:
    characters = [f"x{chr(code)}y" for code in range(0x30000) if not 0xD800 <= code <= 0xDFFF]
    once = clean_texts(characters, EVERYTHING)
    assert clean_texts(once, EVERYTHING) == once


@given(st.text(st.characters(exclude_categories=["Cs"]).filter(lambda c: not is_kept_by_unicode_form(c))))
@settings(deadline=None)
def test_unicode_form_is_nfkc_but_for_what_is_kept(text: str) -> None:
    # Only characters that Python's version of Unicode knows can be compared.
    known = "".join(character for character in text if unicodedata.category(character) != "Cn")
    assert unicode_form(pl.Series([known]))[0] == unicodedata.normalize("NFKC", known)


def test_markup_nested_without_end_takes_bounded_time() -> None:
    depth = 10 * MAX_ROUNDS
    (text,) = clean_texts(["<" * depth + "b>" * depth], EVERYTHING)
    assert len(text) == 3 * (depth - MAX_ROUNDS)


def test_placeholders_are_counted_by_kind() -> None:
    text = "[EMAIL]：a@example.org，b@example.org，电话13812345678，再说一遍13812345678，不是 [PHONE]。"
    counts = clean(pl.DataFrame({"id": ["a"], "text": [text]}), CleaningSettings(minimum_length=5)).counts
    assert {rule: one.replacements for rule, one in counts.items() if one.replacements} == {
        "mask_email": 2,
        "mask_phone": 2,
    }


def test_a_dropped_document_is_kept_with_the_rule_and_what_it_measured() -> None:
    text = "The library opened on Tuesday 图书馆"
    dropped = clean(pl.DataFrame({"id": ["a"], "text": [text]}), CleaningSettings(minimum_length=5)).dropped
    assert dropped.rows(named=True) == [
        {"id": "a", "rule": "minimum_target_script", "value": pytest.approx(3 / 28), "text": text}
    ]


def test_counts_what_each_rule_did() -> None:
    documents = pl.DataFrame({"id": ["a", "b", "c"], "text": ["<b>五个字符长</b>", "  短  ", "没有改变的文字"]})
    before = documents.clone()
    cleaned = clean(documents, CleaningSettings(minimum_length=5))
    assert documents.equals(before)
    assert cleaned.kept.select("id", "text").rows() == [("a", "五个字符长"), ("c", "没有改变的文字")]
    assert cleaned.dropped.rows() == [("b", "minimum_length", 1.0, "短")]
    assert list(cleaned.counts) == [*SWITCHES, "minimum_length", *ALWAYS_ON]
    html, whitespace, length = (
        cleaned.counts[rule] for rule in ("strip_html", "collapse_whitespace", "minimum_length")
    )
    assert (html.documents_changed, html.characters_in, html.characters_removed) == (1, 24, 7)
    assert (whitespace.documents_changed, whitespace.characters_removed) == (1, 4)
    assert (length.documents_in, length.documents_dropped, length.documents_out) == (3, 1, 2)
    assert (length.characters_in, length.characters_dropped, length.characters_out) == (13, 1, 12)


@given(st.lists(texts, max_size=12), any_settings)
@settings(max_examples=50, deadline=None)
def test_counts_add_up(documents: list[str], chosen: CleaningSettings) -> None:
    chosen = chosen.model_copy(update={"minimum_length": 5})
    frame = pl.DataFrame({"id": list(map(str, range(len(documents)))), "text": pl.Series(documents, dtype=pl.String)})
    cleaned = clean(frame, chosen)
    documents_in, characters_in = len(documents), sum(map(len, documents))
    for counts in cleaned.counts.values():
        assert (counts.documents_in, counts.characters_in) == (documents_in, characters_in)
        documents_in, characters_in = counts.documents_out, counts.characters_out
        assert counts.documents_in - counts.documents_dropped == documents_in
        assert counts.characters_in - counts.characters_removed - counts.characters_dropped == characters_in
    assert (documents_in, characters_in) == (len(cleaned.kept), sum(map(len, cleaned.kept["text"])))
    assert sorted([*cleaned.kept["id"], *cleaned.dropped["id"]]) == sorted(frame["id"])
