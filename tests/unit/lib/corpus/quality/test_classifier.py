import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lib.corpus.quality import classifier
from lib.corpus.quality.classifier import FOLDS, Classifier, learn, mean_weights

STORY = ["院子", "老槐树", "祖母", "石桥", "小板凳", "河边", "春天", "雨水", "故事", "蒲扇", "赶集", "豆腐"]
ADVERTISEMENT = ["优惠", "批发", "厂家", "直销", "价格", "热线", "代理", "加盟", "免费", "咨询", "现货", "特价"]


def documents(words: list[str], number: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["，".join(draw.choices(words, k=draw.randrange(10, 30))) + "。" for _ in range(number)]


GOOD, BAD = documents(STORY, 40, 1), documents(ADVERTISEMENT, 60, 2)


def test_new_documents_are_told_apart() -> None:
    found, of_good, of_bad = learn(GOOD, BAD)
    scores = found.scores(pl.Series([*documents(STORY, 20, 3), *documents(ADVERTISEMENT, 20, 4)]))
    assert (scores[:20] > 0.9).all()
    assert (scores[20:] < 0.1).all()
    assert (of_good > 0.5).all()
    assert (of_bad < 0.5).all()


def test_examples_are_scored_as_if_they_had_not_been_seen() -> None:
    same = documents(STORY + ADVERTISEMENT, 400, 5)
    found, of_good, of_bad = learn(same[:200], same[200:])
    held_out = np.mean([*(of_good >= 0.5), *(of_bad < 0.5)])
    seen = np.mean((found.scores(pl.Series(same)) >= 0.5) == (np.arange(400) < 200))
    assert held_out < 0.6 < 0.8 < seen


def test_a_score_is_a_probability_that_counts_both_kinds_alike() -> None:
    mixed = [*documents(STORY, 150, 6), *documents(STORY + ADVERTISEMENT, 150, 7)]
    few, *_ = learn(mixed[:150], documents(STORY + ADVERTISEMENT, 30, 8))
    new = pl.Series([*documents(STORY, 200, 9), *documents(STORY + ADVERTISEMENT, 200, 10)])
    scores = few.scores(new)
    assert scores.mean() == pytest.approx(0.5, abs=0.1)  # although five in six examples were good


def test_equal_examples_give_equal_classifiers_and_what_is_saved_is_what_was_learned(tmp_path: Path) -> None:
    first, *_ = learn(GOOD, BAD)
    again, *_ = learn(GOOD, BAD)
    first.save(tmp_path / "a.npy")
    again.save(tmp_path / "b.npy")
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    texts = pl.Series(GOOD + BAD)
    assert Classifier.load(tmp_path / "a.npy").scores(texts).tolist() == pytest.approx(first.scores(texts).tolist())


def test_the_mean_weighs_every_ngram_of_a_text_once() -> None:
    weights = np.arange(1 << classifier.BUCKET_BITS, dtype=np.float32)
    once, twice, empty, other = mean_weights(pl.Series(["甲甲甲", "甲甲甲甲甲甲", "", "乙"]), weights)
    assert once == twice != other
    assert empty == 0


def test_scores_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    found, *_ = learn(GOOD, BAD)
    texts = pl.Series([*GOOD, "", *BAD])
    whole = found.scores(texts).tolist()
    monkeypatch.setattr(classifier, "BLOCK_CHARACTERS", 200)
    assert found.scores(texts).tolist() == pytest.approx(whole)
    assert learn(GOOD, BAD)[0].weights.tolist() == found.weights.tolist()


def test_few_examples_are_enough_to_learn_something() -> None:
    found, of_good, of_bad = learn(GOOD[:FOLDS], BAD[:FOLDS])
    assert np.isfinite([found.slope, found.intercept, *of_good, *of_bad]).all()
    assert found.slope > 0
