import polars as pl
import pytest

from lib.corpus.cleaning.language import language_probability, sample


def test_probabilities_add_up_over_the_languages() -> None:
    texts = pl.Series(["今天天气很好，我们一起去公园散步吧。", "The weather is fine today, let us go for a walk."])
    chinese, english = (language_probability(texts, codes) for codes in (["zh", "yue", "wuu"], ["en"]))
    assert chinese[0] > 0.9 > 0.1 > chinese[1]
    assert english[1] > 0.9 > 0.1 > english[0]


@pytest.mark.parametrize("length", [0, 10, 300, 301, 1000, 100_001])
def test_samples_come_from_all_over_the_text(length: int) -> None:
    text = "".join(chr(0x4E00 + number % 20_000) for number in range(length))
    if length <= 300:
        assert sample(text) == text
    else:
        assert len(sample(text)) == 302
        assert sample(text).startswith(text[:100])
        assert text[-101:-1] in sample(text) or sample(text).endswith(text[-100:])
