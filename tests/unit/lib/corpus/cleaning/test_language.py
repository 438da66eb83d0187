import polars as pl
import pytest

from lib.corpus.cleaning.language import known_languages, language_probability, sample
from lib.settings.corpus import LANGUAGES, OTHER_CODES, CleaningSettings


def test_settings_know_the_codes_that_py3langid_does() -> None:
    assert set(LANGUAGES) == known_languages()
    assert set(OTHER_CODES) <= set(LANGUAGES)


def test_probabilities_add_up_over_the_languages() -> None:
    texts = pl.Series(["今天天气很好，我们一起去公园散步吧。", "The weather is fine today, let us go for a walk."])
    chinese, english = (language_probability(texts, codes) for codes in (["zh", "yue", "wuu"], ["en"]))
    assert chinese[0] > 0.9 > 0.1 > chinese[1]
    assert english[1] > 0.9 > 0.1 > english[0]


def test_japanese_is_no_chinese_and_english_terms_make_a_manual_no_english_one() -> None:
    texts = pl.Series(
        [
            "祖母の家の庭には古い柿の木があって、秋になると子どもたちが集まってきた。",
            "本命令用 `ls --all --human-readable` 列出目录：see also dir(1), find(1), chmod(1), touch(1)。",
        ]
    )
    japanese, manual = language_probability(texts, ["zh", "yue", "wuu"])
    assert japanese < 0.1
    assert manual > 0.9


def test_by_default_documents_in_han_must_be_chinese() -> None:
    assert CleaningSettings().expected_languages == ["zh", "yue", "wuu"]
    assert CleaningSettings(target_script="Japanese").expected_languages == []
    assert CleaningSettings(languages=[]).expected_languages == []


@pytest.mark.parametrize("length", [0, 10, 300, 301, 1000, 100_001])
def test_samples_come_from_all_over_the_text(length: int) -> None:
    text = "".join(chr(0x4E00 + number % 20_000) for number in range(length))
    if length <= 300:
        assert sample(text) == text
    else:
        assert len(sample(text)) == 302
        assert sample(text).startswith(text[:100])
        assert text[-101:-1] in sample(text) or sample(text).endswith(text[-100:])
