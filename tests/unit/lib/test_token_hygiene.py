"""What may stand together in a token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.token_hygiene import BLANK, FIRST_LETTER, FRAGMENT, NEVER, PUNCTUATION, is_latin, kind_of, traits


@pytest.mark.parametrize(
    "text", ["a", "é", "“", "…", "1", "\n", "🙂", "\u00a0", "１", "天下，", "天a", "天\n", "  ", "，\n"]
)
def test_no_part_of_a_merge(text: str) -> None:
    assert traits(text.encode(), keep_latin=True).kind == NEVER


def test_kinds_of_whole_tokens() -> None:
    assert traits("天下".encode(), True).kind == traits(" の".encode(), True).kind >= FIRST_LETTER
    assert traits("слово".encode(), True).kind not in (traits("天".encode(), True).kind, NEVER)
    assert traits("。」".encode(), True).kind == PUNCTUATION
    assert traits(b" ", True).kind == BLANK
    assert traits(b"the", False).kind == traits("é".encode(), False).kind >= FIRST_LETTER


def test_parts_of_characters() -> None:
    whole = "天".encode()
    assert [traits(part, True).kind for part in (whole[:1], whole[:2], whole[1:], b" " + whole[:2])] == [FRAGMENT] * 4
    assert [traits(part, True).kind for part in (whole + whole[:1], whole[2:] + whole[:1])] == [NEVER] * 2
    assert not traits(whole[1:], True).starts_whole


@given(st.text(min_size=1))
def test_length_is_that_of_the_text(text: str) -> None:
    assert traits(text.encode(), True).length == len(text)


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
