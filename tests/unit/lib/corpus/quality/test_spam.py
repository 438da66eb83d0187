import polars as pl
import pytest

from lib.corpus.quality.spam import WORDS, spam_density


def test_words_are_counted_per_hundred_characters() -> None:
    text = "时时彩、百家乐" + "，" * 93
    assert spam_density(pl.Series([text, "", "今天天气很好。"])).to_list() == [2.0, 0.0, 0.0]


def test_the_words_are_words_once_each() -> None:
    assert len(WORDS) == len(set(WORDS))
    assert all(len(word) >= 2 and word.strip() == word for word in WORDS)


@pytest.mark.parametrize(
    "text",
    [
        "警方昨日通报，一家地下赌场的老虎机被当场查获，十二名涉案人员被带走调查，案件正在进一步审理之中，记者从发布会上了解到有关情况。",
        "这种处方药可能引起头痛，服用前请先咨询医生，不要购买来路不明的壮阳药，以免延误治疗，国家有关部门也已经发出提醒。",
    ],
)
def test_news_and_medicine_stay_below_the_limit(text: str) -> None:
    (density,) = spam_density(pl.Series([text]))
    assert 0 < density <= 2
