"""Gaps are made where names stand, with other names of the same text to choose from."""

from collections import Counter
from typing import cast

from lib.evaluation.cloze import OPTIONS, cloze_items, cloze_questions
from lib.evaluation.scorer import Scorer

PEOPLE = ("孔明", "玄德", "周瑜", "鲁肃", "曹操", "张昭", "关公", "黄忠")
LATIN = ("Hannes", "Robert", "Gerald", "Ingrid")
DAYS = "甲乙丙丁戊己庚辛壬癸"


def story(names: tuple[str, ...]) -> str:
    """A text in which everybody speaks, and is spoken of, every day anew and with nobody else near."""
    said = (
        f"{day}日，{name}曰：“今日天色将晚，不如先回营中歇息，来日再作商议，众人以为如何？”众将见{name}如此，皆以为然，"
        f"各自散去不提。次日天明，鼓声大作，旌旗遍野，军士报说敌兵已退三十里，城中百姓焚香而拜，远近闻之，无不欢喜。"
        for day in DAYS
        for name in names
    )
    return "".join(said)


def test_names_are_found_and_asked_for() -> None:
    questions = cloze_questions([("novel", story(PEOPLE))], 8)
    assert len(questions) == 8
    for question in questions:
        assert len(set(question.options)) == OPTIONS
        assert set(question.options) <= set(PEOPLE)
        name = question.options[question.answer]
        assert f"{question.before}{name}{question.after}" in story(PEOPLE)
        assert not [other for other in question.options if other in question.before + question.after and other != name]
    assert {one.options[one.answer] for one in questions} == set(PEOPLE)


def test_the_questions_are_the_same_in_every_run() -> None:
    texts = [("novel", story(PEOPLE)), ("other", story(tuple(reversed(PEOPLE))) + "完。")]
    assert cloze_questions(texts, 6) == cloze_questions(list(reversed(texts)), 6)


def test_no_name_is_asked_for_too_often() -> None:
    questions = cloze_questions([("novel", story(PEOPLE))], 16)
    assert max(Counter(one.options[one.answer] for one in questions).values()) <= 2


def test_a_phrase_before_the_verb_is_no_name() -> None:
    text = story(PEOPLE) + "孔明笑曰：“是也。”" * 3 + "一人叹曰：“非也。”" * 3
    options = {option for question in cloze_questions([("novel", text)], 50) for option in question.options}
    assert options <= set(PEOPLE)


def test_capitalised_words_are_names_where_there_is_no_chinese() -> None:
    sentence = "On day {} the rain had stopped at last, nobody was about, and {} walked down to the river for stones. "
    text = "".join(sentence.format(day, name) for day in range(4) for name in LATIN)
    options = {option for one in cloze_questions([("tales", text)], 8) for option in one.options}
    assert options == set(LATIN)
    assert cloze_questions([("tales", text.replace("Ingrid", "Ida"))], 8) == []  # not of one length


def test_too_few_names_make_no_question() -> None:
    assert cloze_questions([("novel", story(PEOPLE[:3]))], 8) == []


def test_the_likeliest_option_with_what_follows_is_the_answer() -> None:
    questions = cloze_questions([("novel", story(PEOPLE))], 4)

    class Liking:
        def continuations(self, texts: list[tuple[str, str]], what: str) -> list[float]:
            right = {one.before: one.options[one.answer] + one.after for one in questions[:2]}
            return [1.0 if right.get(given) == text else 2.0 for given, text in texts]

    items = list(cloze_items(cast(Scorer, Liking()), questions))
    guessed = [float(one.answer == 0) for one in questions[2:]]  # of equals, the first
    assert [item.amount for item in items] == [1.0, 1.0, *guessed]
    assert {(item.figure, item.part) for item in items} == {("cloze_accuracy", "novel")}
