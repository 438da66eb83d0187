import random

import polars as pl
import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from lib.corpus.cleaning.language import TEXTS_AT_ONCE, known_languages, language_probability, sample
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


def test_prose_and_lists_of_names_and_manuals_of_taiwan_are_chinese() -> None:
    texts = pl.Series(
        [
            "他们说，这个时间还没有人来过；你如果要等，就在那里坐一会儿吧。",
            "新华社南昌一月十八日电江西省第九届人民代表大会第一次会议今天选举舒惠国为省人大常委会主任，卢秀珍（女）、周平、"
            "陈癸尊、黄名鑫、华桐、钱梓弘、周述荣、全文甫为省人大常委会副主任。",
            "選項：--all 顯示這個目錄裡所有的檔案，--help 顯示說明。",
        ]
    )
    probabilities = language_probability(texts, ["zh", "yue", "wuu"])
    assert probabilities[0] == 1  # nothing to ask the model for
    assert (probabilities > 0.9).all()


def test_kana_among_words_of_chinese_leaves_it_to_the_model() -> None:
    text = "这个时间他们还没说吗。" + "祖母の家の庭には古い柿の木があって、秋になると子どもたちが集まってきた。" * 3
    assert language_probability(pl.Series([text]), ["zh", "yue", "wuu"])[0] < 0.5


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


def test_probabilities_are_those_of_py3langid() -> None:
    some = random.Random(1)
    alphabets = [
        "今天气很好我们一起去公园散步的是",
        "祖母の家にはカキ木",
        "abc DEF ghi é",
        "ТЕКСТ слово",
        "한국어 글",
        "\u0301\U0001f600 7",
    ]
    texts = [
        "",
        " ",
        "a",
        "ABC",
        *("".join(some.choices(some.choice(alphabets), k=some.randint(1, 900))) for _ in range(600)),
    ]
    assert len(texts) > TEXTS_AT_ONCE
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    wanted = ["sr", "zh", "en", "ja"]  # sr is written in two scripts
    expected = [
        sum(probability for language, probability in identifier.rank(sample(text)) if language in wanted)
        for text in texts
    ]
    assert language_probability(pl.Series(texts), wanted).to_list() == pytest.approx(expected, abs=1e-5)


def test_no_texts_have_no_probabilities() -> None:
    assert language_probability(pl.Series([], dtype=pl.String), ["en"]).to_list() == []
    assert language_probability(pl.Series([""]), ["en"]).to_list() == pytest.approx([1 / 142], abs=1e-6)
