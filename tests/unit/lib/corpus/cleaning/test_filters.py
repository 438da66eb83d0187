import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus.cleaning import filters
from lib.corpus.cleaning.filters import NGRAM, character_shares, repeated_lines
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
        table = character_shares(pl.Series(documents), "Han")
    for row, text in zip(table.iter_rows(named=True), documents, strict=True):
        seen = text[:block]
        grams = [seen[start : start + NGRAM] for start in range(len(seen) - NGRAM + 1)]
        letters = [character for character in text if character in "甲乙ab"]
        visible = len(text) - text.count("\n")
        assert row["repeated_ngrams"] == pytest.approx((len(grams) - len(set(grams))) / max(len(grams), 1))
        assert row["target_script"] == (
            pytest.approx(sum(letter in "甲乙" for letter in letters) / len(letters)) if letters else 1
        )
        assert row["symbols"] == pytest.approx(text.count("|") / max(visible, 1))
        assert row["digits"] == pytest.approx(text.count("1") / max(visible, 1))


def test_ngrams_of_random_text_do_not_collide() -> None:
    draw = random.Random(1)
    text = "".join(chr(0x4E00 + draw.randrange(5000)) for _ in range(200_000))
    assert shares(text)["repeated_ngrams"] < 1e-4


def test_repeated_lines() -> None:
    ten = "\n".join("甲乙甲丙甲丁甲戊己庚")
    assert repeated_lines(pl.Series([ten, "甲\n甲\n甲", ""])).to_list() == [0.3, 0, 0]


def test_a_long_document_is_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["".join(random.Random(row).choices("甲乙ab1|，", k=40)) for row in range(30)]
    documents = pl.Series(["\n".join(rows + rows[:10]), "短"])
    whole, lines = character_shares(documents, "Han"), repeated_lines(documents)
    monkeypatch.setattr(chunks, "PIECE_BYTES", 600)
    assert repeated_lines(documents).to_list() == lines.to_list() == [0.25, 0]
    cut = character_shares(documents, "Han")
    assert cut.select("target_script", "symbols", "digits").equals(whole.select("target_script", "symbols", "digits"))
    assert cut["repeated_ngrams"][0] < 0.05 < whole["repeated_ngrams"][0]  # repetition is looked for in each piece
