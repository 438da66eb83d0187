"""What may stand together in a token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.tokenizer.token_rules import (
    BLANK,
    FIRST_LETTER,
    FRAGMENT,
    NEVER,
    PUNCTUATION,
    Limits,
    is_latin,
    kind_of,
    traits,
)

LIMITS = Limits()
FREE = Limits(keep_latin=False)


NO_PART = [
    "a",
    "é",
    "“",
    "…",
    "1",
    "\n",
    "🙂",
    "\u00a0",
    "１",
    "天下，",
    "，天下。",
    "，。天",
    "“天",
    "，слово天",
    "天a",
    "天\n",
    "  ",
    "，\n",
]


@pytest.mark.parametrize("text", NO_PART)
def test_no_part_of_a_merge(text: str) -> None:
    assert traits(text.encode(), LIMITS).kind == NEVER


def test_kinds_of_whole_tokens() -> None:
    assert traits("天下".encode(), LIMITS).kind == traits(" の".encode(), LIMITS).kind >= FIRST_LETTER
    assert traits("слово".encode(), LIMITS).kind not in (traits("天".encode(), LIMITS).kind, NEVER)
    assert traits("。」".encode(), LIMITS).kind == PUNCTUATION
    assert traits(b" ", LIMITS).kind == BLANK
    assert traits(b"the", FREE).kind == traits("é".encode(), FREE).kind >= FIRST_LETTER


def test_a_mark_or_a_blank_leads_letters() -> None:
    letters = traits("天下".encode(), LIMITS)
    for text in (" 天下", "，天下", "《天下"):
        found = traits(text.encode(), LIMITS)
        assert found.led
        assert found.kind == letters.kind
    assert not letters.led
    assert traits("，天下".encode(), Limits(leading_marks=False)).kind == NEVER
    assert traits(" ，天下".encode(), LIMITS).kind == NEVER
    assert traits(b"(self", FREE).led


def test_parts_of_characters() -> None:
    whole = "天".encode()
    assert [traits(part, LIMITS).kind for part in (whole[:1], whole[:2], whole[1:], b" " + whole[:2])] == [FRAGMENT] * 4
    assert [traits(part, LIMITS).kind for part in (whole + whole[:1], whole[2:] + whole[:1])] == [NEVER] * 2
    assert not traits(whole[1:], LIMITS).starts_whole


@given(st.text(min_size=1))
def test_length_is_that_of_the_text(text: str) -> None:
    assert traits(text.encode(), LIMITS).length == len(text)


@given(st.characters(codec="utf-8"), st.integers(0x80, 0xBF))
def test_latin_characters_share_their_first_bytes_with_none_else(character: str, last: int) -> None:
    if not character.isascii():
        other = (character.encode()[:-1] + bytes([last])).decode(errors="replace")
        assert (
            "\N{REPLACEMENT CHARACTER}" in other
            or len(character.encode()) < 3
            or is_latin(other) == is_latin(character)
        )


@given(st.characters())
def test_latin_is_kept(character: str) -> None:
    if is_latin(character):
        assert kind_of(character, keep_latin=True) == NEVER
