"""The user's words: each one token wherever it stands, and nothing else as it was not before."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from lib.core.errors import UserError
from lib.tokenizer.continued_bpe import constituents, extend_tokenizer
from lib.tokenizer.user_words import Term, add_words, read_terms
from tokenizers_to_extend import CHINESE, ENGLISH, KINDS, byte_level, learn_from

WORDS = ["诸葛亮", "诸葛", "龘龘", "天下。", "naïve", "transformer", "GPT-4", "C++", "New York", "5G网络"]


@pytest.fixture(scope="module", params=KINDS)
def base(request: pytest.FixtureRequest) -> Tokenizer:
    return KINDS[request.param]()


def terms(words: list[str]) -> list[Term]:
    return [Term(word, f"words.txt, line {number}") for number, word in enumerate(words, 1)]


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """What the tokens of `text` stand for, as far as whole characters go."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return [text[start:end].strip() for start, end in encoding.offsets]


@pytest.mark.parametrize("learned", [0, 60])
def test_each_is_one_token_in_running_text(base: Tokenizer, learned: int) -> None:
    extended = add_words(base, terms(WORDS))
    if learned:
        extended = extend_tokenizer(extended, learn_from(extended, CHINESE, learned))
    for word in WORDS:
        for text in (f"刘备说{word}，张飞", f"the {word} end", word, f"。{word}\n{word}"):
            assert word in pieces(extended, text), text
            assert extended.decode(extended.encode(text, add_special_tokens=False).ids) == base.decode(
                base.encode(text, add_special_tokens=False).ids
            )


def test_longer_terms_come_first_and_words_within_words_do_not_count(base: Tokenizer) -> None:
    extended = add_words(base, terms(["诸葛", "诸葛亮", "fox"]))
    assert pieces(extended, "诸葛亮诸葛")[-2:] == ["诸葛亮", "诸葛"]
    assert len(extended.pre_tokenizer.pre_tokenize_str("foxes")) == 1


def test_other_text_is_segmented_as_before(base: Tokenizer) -> None:
    extended = add_words(base, terms(["诸葛亮", "龘龘"]))
    assert extended.encode(ENGLISH).ids == base.encode(ENGLISH).ids
    assert base.get_vocab().items() <= extended.get_vocab().items()


def test_constituents_spell_the_word(base: Tokenizer) -> None:
    extended = add_words(base, terms(WORDS))
    for token_id, parts in constituents(base, extended).items():
        assert base.decode(parts) == extended.decode([token_id])


def test_word_that_would_not_come_back() -> None:
    with pytest.raises(UserError, match=r"line 2: .*Müller-Straße"):
        add_words(byte_level(), terms(["诸葛亮", "Müller-Straße"]))


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeff# names\n诸葛亮\n\n  C++ \r\n诸葛亮\n", encoding="utf-8")
    assert [(term.text, term.where) for term in read_terms(path)] == [
        ("诸葛亮", f"{path}, line 2"),
        ("C++", f"{path}, line 4"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("诸葛亮\nGPT\t4\n".encode(), "line 2: .* no text"),
        (("x" * 65).encode(), "line 1: the term has 65 characters"),
        (b"# nothing\n", "holds no terms"),
        (b"\xff\xfe\x00", "must be UTF-8"),
    ],
)
def test_bad_file(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_terms(tmp_path / "words.txt")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.words: .*none\.txt cannot be read"):
        read_terms(tmp_path / "none.txt")
