"""Measures of answers, on answers whose figures can be told by hand."""

import pytest

from lib.chat.answers import Continuation
from lib.evaluation.answer_quality import answer_items, chrf, comparable, repetition, rouge_l, script_shares
from lib.evaluation.scorer import HeldOutExample


def test_the_given_answer_is_perfect_and_another_one_is_not() -> None:
    assert chrf("刘备、关羽和张飞。", "刘备、关羽和张飞。") == 100
    assert rouge_l("刘备、关羽和张飞。", "刘备、关羽和张飞。") == 100
    assert chrf("曹操", "刘备") == rouge_l("曹操", "刘备") == 0
    assert rouge_l("", "刘备") == 0


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    # 刘关飞 is common: precision 3/4, recall 3/6.
    assert rouge_l("刘关飞也", "刘备关羽张飞") == pytest.approx(100 * 2 * 3 / (4 + 6))


def test_chrf_counts_recall_more() -> None:
    """Of n-grams of one and two characters alone, half of a text finds half of it, and nothing wrong."""
    half, double = chrf("甲乙丙丁", "甲乙丙丁戊己庚辛"), chrf("甲乙丙丁戊己庚辛", "甲乙丙丁")
    assert 0 < half < double < 100


def test_repetition_is_the_share_of_stretches_that_occurred_before() -> None:
    assert repetition("一二三四五六七八九十") == 0
    assert repetition("短") == 0
    assert repetition("一二三四五六七八" * 3) == pytest.approx(1 - 8 / 17)


@pytest.mark.parametrize(
    ("answer", "script", "share"),
    [
        ("刘备 abc", "Han", 0.4),
        ("刘备，42！", "Han", 1.0),
        ("42", "Han", 1.0),
        ("", "Han", 0.0),
        ("すし屋", "Japanese", 1.0),
    ],
)
def test_the_share_of_letters_in_the_script(answer: str, script: str, share: float) -> None:
    assert script_shares([answer], script) == [pytest.approx(share)]


def test_short_answers_are_the_same_but_for_width_case_and_punctuation() -> None:
    assert comparable("“ Ｙes。”") == comparable("yes")
    assert comparable("不是") != comparable("是")


def test_only_short_answers_are_matched_exactly() -> None:
    examples = [
        HeldOutExample("a", ("问",), "积极<end>", "classification", is_short=True),
        HeldOutExample("b", ("问",), "一篇文章<end>", "writing"),
    ]
    answers = [Continuation("积极。", ended=True), Continuation("一篇文章", ended=False)]
    items = {(item.figure, item.document): item for item in answer_items(examples, answers, "<end>", "Han")}
    assert items["answer_exact_match", "a"].amount == 1
    assert ("answer_exact_match", "b") not in items
    assert items["answer_chrf", "b"].amount == 100
    assert [items["answer_ended", one].amount for one in "ab"] == [1, 0]
    assert items["answer_in_script", "a"].part == "classification"
    assert "answer_in_script" not in {item.figure for item in answer_items(examples, answers, "<end>", "any")}
