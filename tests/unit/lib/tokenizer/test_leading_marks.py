"""What is cut in front of BPE when marks stay with the letters behind them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel, PreTokenizer, Sequence, Split

from lib.tokenizer.leading_marks import GPT2, MARKED, with_leading_marks
from tiny_families import LLAMA3, QWEN
from tokenizers_to_extend import sentencepiece_legacy, sentencepiece_metaspace

PLAIN = ByteLevel(add_prefix_space=False)
TEXT = "他说，我们去。中abc（一）々 ！，好\n《三国》、コーヒー・アイス 1998年，二"
PIECES = [
    "他说",
    "，我们去",
    "。中",
    "abc",
    "（一",
    "）々",
    " ！，",
    "好",
    "\n",
    "《三国",
    "》、",
    "コーヒー",
    "・アイス",
]
ANY_TEXT = st.text(alphabet=st.one_of(st.sampled_from("，。、“”（天下あー・ab 1\n'sé"), st.characters(codec="utf-8")))


def byte_level(pre_tokenizer: PreTokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    return [text[slice(*place)] for _, place in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def regex(pattern: str) -> PreTokenizer:
    return Sequence([Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])


@pytest.mark.parametrize(
    "pre_tokenizer",
    [PLAIN, Sequence([pre_tokenizers.Digits(individual_digits=True), PLAIN]), regex(GPT2)],
    ids=["GPT-2", "SmolLM2", "a pattern"],
)
def test_a_mark_stays_with_the_letters_behind_it(pre_tokenizer: PreTokenizer) -> None:
    changed = with_leading_marks(byte_level(pre_tokenizer))
    assert pieces(changed, TEXT)[: len(PIECES)] == PIECES
    assert pieces(changed, TEXT)[-2:] == ["年", "，二"]
    again = with_leading_marks(changed)
    assert again.to_str() == changed.to_str()


@pytest.mark.parametrize(
    "tokenizer",
    [
        byte_level(regex(LLAMA3)),
        byte_level(regex(QWEN)),
        sentencepiece_legacy(),
        sentencepiece_metaspace(),
        byte_level(ByteLevel(add_prefix_space=True)),
        byte_level(Sequence([pre_tokenizers.UnicodeScripts(), PLAIN])),
    ],
    ids=["Llama 3", "Qwen", "no pre-tokenizer", "Metaspace", "a blank is put first", "cut by script"],
)
def test_left_as_it_is(tokenizer: Tokenizer) -> None:
    """Either it leaves them together already, or it cannot be made to without changing more."""
    assert with_leading_marks(tokenizer).to_str() == tokenizer.to_str()


@given(ANY_TEXT)
@settings(max_examples=500)
def test_the_pattern_is_what_the_byte_level_pre_tokenizer_does(text: str) -> None:
    assert pieces(byte_level(regex(GPT2)), text) == pieces(byte_level(PLAIN), text)


@given(ANY_TEXT)
@settings(max_examples=500)
def test_text_without_marks_before_letters_is_cut_as_before(text: str) -> None:
    rest = "".join(piece for piece, _ in Split(Regex(MARKED), "removed").pre_tokenize_str(text))
    assert pieces(with_leading_marks(byte_level(PLAIN)), rest) == pieces(byte_level(PLAIN), rest) or marked(rest)


def marked(text: str) -> bool:
    """Whether a mark stands before letters somewhere."""
    return Split(Regex(MARKED), "removed").pre_tokenize_str(text) != [(text, (0, len(text)))]
