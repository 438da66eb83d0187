import random
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus.cleaning import filters
from lib.corpus.cleaning.filters import NGRAM, character_shares, repeated_lines, target_script_share
from lib.settings.corpus import CleaningSettings
from lib.text import chunks


def shares(text: str, script: str = "Han") -> dict[str, float]:
    return character_shares(pl.Series([text]), script).row(0, named=True)


def test_target_script_is_counted_among_letters() -> None:
    assert shares("中文ab，12 ")["target_script"] == 0.5
    assert shares("かな漢字", "Japanese")["target_script"] == 1
    assert shares("かな漢字")["target_script"] == 0.5
    assert shares("123")["target_script"] == 1  # no letters: other rules judge


def test_symbols_and_digits_are_counted_among_visible_characters() -> None:
    assert shares("甲|乙 12\n")["symbols"] == 0.2
    assert shares("甲|乙 12\n")["digits"] == 0.4
    assert shares("“你好，”——《书》（3）！")["symbols"] == 0


def test_repeated_characters() -> None:
    assert shares("哈哈哈哈")["repeated_characters"] == 0.75
    assert shares("abab")["repeated_characters"] == 0


texts = st.text(st.sampled_from("甲乙ab1|，\n"), min_size=1, max_size=60)


@given(st.lists(texts, min_size=1, max_size=8), st.integers(20, 100))
@settings(max_examples=50, deadline=None)
def test_shares_equal_plain_counting_whatever_the_blocks(documents: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filters, "BLOCK_CHARACTERS", block)
        patch.setattr(filters, "COMPARED_CHARACTERS", block)
        table = character_shares(pl.Series(documents), "Han")
    for row, text in zip(table.iter_rows(named=True), documents, strict=True):
        seen = text[:block]
        grams = [seen[start : start + NGRAM] for start in range(len(seen) - NGRAM + 1)]
        letters = [character for character in text if character in "甲乙ab"]
        symbols = len(re.findall(r"\|+", text))  # a run of one counts once
        visible = len(text) - text.count("\n") - text.count("|") + symbols
        assert row["repeated_ngrams"] == pytest.approx((len(grams) - len(set(grams))) / max(len(grams), 1))
        assert row["target_script"] == (
            pytest.approx(sum(letter in "甲乙" for letter in letters) / len(letters)) if letters else 1
        )
        assert row["symbols"] == pytest.approx(symbols / max(visible, 1))
        assert row["digits"] == pytest.approx(text.count("1") / max(visible, 1))


def test_lines_of_a_drawn_table_repeat_nothing() -> None:
    rows = [f"│命令{number:04}│说明{number * 7919:08}│\n" for number in range(40)]
    line = f"├{'─' * 8}┼{'─' * 12}┤\n"
    drawn, dashed = (shares(line.join(rows).translate(table))["repeated_ngrams"] for table in ({}, {0x2500: "-"}))
    assert drawn < 0.5 < dashed


def test_ngrams_of_random_text_do_not_collide() -> None:
    draw = random.Random(1)
    text = "".join(chr(0x4E00 + draw.randrange(5000)) for _ in range(200_000))
    assert shares(text)["repeated_ngrams"] < 1e-4


def test_repeated_lines() -> None:
    ten = "\n".join("甲乙甲丙甲丁甲戊己庚")
    assert repeated_lines(pl.Series([ten, "甲\n甲\n甲", ""])).to_list() == [pytest.approx(0.3), 0, 0]


def test_repeated_headings_between_paragraphs_weigh_little_and_repeated_paragraphs_much() -> None:
    paragraph = (
        "返回一组数值的平均值，参数可以是数字、名称或引用，空单元格不计算在内。"  # 35 characters, 45 with the break
    )
    headings = "\n".join(f"{name}\n语法\n{paragraph}{name}\n示例" for name in "甲乙丙丁戊")
    paragraphs = "\n".join([*"甲乙丙丁戊", *[paragraph] * 5])
    of_headings, of_paragraphs = repeated_lines(pl.Series([headings, paragraphs]))
    assert of_headings == pytest.approx(8 * 12 / (5 * 11 + 10 * 12 + 5 * 46))
    assert of_paragraphs == pytest.approx(4 * 45 / (5 * 11 + 5 * 45))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("_" * 70 + "甲乙丙", 0.25),
        ("│命令│说明│\n├──┼──┤", 0),
        ("■□■□", 1),
        ("++C==", 2 / 3),
    ],
)
def test_drawn_lines_are_layout(text: str, symbols: float) -> None:
    assert shares(text)["symbols"] == pytest.approx(symbols)


@pytest.mark.parametrize(
    "text",
    [
        "这一页的说明见 https://example.org/wiki/page?from=home",
        "\\begin{itemize}\n\\item 先安装系统，再安装软件包\n\\end{itemize}",
        "\\usepackage[a4paper]{xeCJK}第一章是前言",
        "\\section*{引言和目录}\\label{sec:introduction}",
    ],
)
def test_letters_of_addresses_and_commands_are_in_no_script(text: str) -> None:
    texts = pl.Series([text])
    counted = character_shares(texts, "Han")["target_script"]
    limit = CleaningSettings(minimum_target_script=0.3)
    assert 0.15 < counted[0] < 0.3
    assert target_script_share(texts, counted, limit).to_list() == [1.0]


@pytest.mark.parametrize("text", ["the library 图书馆", "\\alpha \\beta", "\\newcommand\\name 名"])
def test_other_letters_count_as_before(text: str) -> None:
    texts = pl.Series([text])
    counted = character_shares(texts, "Han")["target_script"]
    assert (
        target_script_share(texts, counted, CleaningSettings(minimum_target_script=0.5)).to_list() == counted.to_list()
    )


def test_a_long_document_is_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["".join(random.Random(row).choices("甲乙ab1|，", k=40)) for row in range(30)]
    documents = pl.Series(["\n".join(rows + rows[:10]), "短"])
    whole, lines = character_shares(documents, "Han"), repeated_lines(documents)
    monkeypatch.setattr(chunks, "PIECE_BYTES", 600)
    assert repeated_lines(documents).to_list() == lines.to_list() == [0.25, 0]
    cut = character_shares(documents, "Han")
    assert cut.select("target_script", "symbols", "digits").equals(whole.select("target_script", "symbols", "digits"))
    assert cut["repeated_ngrams"][0] < 0.05 < whole["repeated_ngrams"][0]  # repetition is looked for in each piece
