import numpy as np

from lib.corpus.quality.judgement import Judgement

GOOD = np.array([0.9, 0.8, 0.5, 0.2])
BAD = np.array([0.6, 0.1, 0.1, 0.1, 0.1])


def test_both_kinds_weigh_the_same() -> None:
    judgement = Judgement.at(0.5, GOOD, BAD)
    assert judgement.facts() == {
        "limit": 0.5,
        "precision": 0.7895,  # 0.75 of the good ones beside 0.2 of the bad ones
        "recall": 0.75,
        "specificity": 0.8,
        "accuracy": 0.775,
    }
    assert "at 0.5, 75.0% of the held-out good examples are kept" in judgement.sentence()


def test_a_limit_that_keeps_nothing_keeps_nothing_bad() -> None:
    assert Judgement.at(0.95, GOOD, BAD).precision == 1
