"""What a new token may consist of: letters of one script, or punctuation.

One blank or one punctuation mark may stand before letters. No new token holds a line break or a digit, and none holds
half a character, except on the way to the whole one. Kinds of tokens are small numbers, so that whole arrays of
candidates are judged at once.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

NEVER, FRAGMENT, BLANK, PUNCTUATION, FIRST_LETTER = range(5)
"""Takes part in no merge; part of a character; one blank; punctuation; and one number from the last on per script."""

# Latin letters and the signs that texts in Latin script share with others (quotes, dashes, symbols, emoji), and what is
# no text. Limits are multiples of 64, the characters that share all bytes but their last in UTF-8: a merge of those
# bytes then never touches a character of these.
LATIN_BLOCKS = (
    range(0x370),
    range(0x1E00, 0x1F00),
    range(0x2000, 0x2C00),
    range(0xE000, 0xF900),
    range(0xFE00, 0xFE40),
    range(0xFFC0, 0x10000),
    range(0x1F000, 0x20000),
)
# Scripts that are written together in Japanese, by the first word of a character's Unicode name.
ONE_SCRIPT = dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "BOPOMOFO"), "HAN")
_SCRIPTS: dict[str, int] = {}


@dataclass(frozen=True)
class Limits:
    """What is a setting of what new tokens may hold (`lib.settings.tokenizer.VocabularySettings`)."""

    keep_latin: bool = True
    leading_marks: bool = True


@dataclass(frozen=True)
class Traits:
    """What decides whether a token may be merged."""

    kind: int
    length: int
    """Characters that begin in it, a leading blank included."""
    starts_whole: bool
    """Does not begin within a character."""
    led: bool
    """Begins with what nothing can stand before: a blank, or a mark in front of letters."""


def is_latin(character: str) -> bool:
    """Whether a character belongs to `LATIN_BLOCKS`."""
    return any(ord(character) in block for block in LATIN_BLOCKS)


def latin_characters() -> Iterator[str]:
    """All characters of `LATIN_BLOCKS` but surrogates and ASCII, which is never split."""
    for block in LATIN_BLOCKS:
        for code in block:
            if code >= 0x80:
                yield chr(code)


def traits(spelling: bytes, limits: Limits) -> Traits:
    """Traits of the token that stands for the bytes `spelling`."""
    starts_whole = bool(spelling) and not _continues(spelling[0])
    length = sum(not _continues(byte) for byte in spelling)
    blank_first = spelling[:1] == b" "
    try:
        text = spelling.decode()
    except UnicodeDecodeError:
        kind = FRAGMENT if length - blank_first <= starts_whole else NEVER
        return Traits(kind, length, starts_whole, blank_first)
    if text == " ":
        return Traits(BLANK, 1, True, True)
    kinds = [kind_of(character, limits.keep_latin) for character in text[blank_first:]]
    mark_first = limits.leading_marks and not blank_first and kinds[:1] == [PUNCTUATION] and max(kinds) >= FIRST_LETTER
    alike = set(kinds[mark_first:])
    return Traits(alike.pop() if len(alike) == 1 else NEVER, length, True, blank_first or mark_first)


@cache
def kind_of(character: str, keep_latin: bool) -> int:
    """Kind of a token that is this character."""
    if keep_latin and is_latin(character):
        return NEVER
    match unicodedata.category(character)[0]:
        case "L" | "M":
            return _script(character)
        case "N" if character == "〇":
            return _script(character)
        case "P" | "S":
            return PUNCTUATION
        case _:
            return NEVER


def _script(character: str) -> int:
    name = unicodedata.name(character, "UNNAMED").split()[0]
    name = ONE_SCRIPT.get(name, name)
    return _SCRIPTS.setdefault(name, FIRST_LETTER + len(_SCRIPTS))


def _continues(byte: int) -> bool:
    """Whether a byte goes on with a character in UTF-8."""
    return 0x80 <= byte < 0xC0
