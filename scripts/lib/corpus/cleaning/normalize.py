"""Steps that give the same text one spelling: invisible characters, widths, variants, punctuation.

Each takes and gives a series of texts. The pattern beside a step matches in every text that the step may change; it is
much cheaper than the step, so that clean text costs a scan.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain

import polars as pl

from lib.text.series import mapped

# Control characters other than white space; soft hyphen, fillers, zero-width and direction marks, byte order marks,
# annotation marks, noncharacters, tags. Variation selectors stay, since they choose a form of a character.
_INVISIBLE = (
    r"\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{180e}\u{200b}-\u{200f}"
    r"\u{202a}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{feff}\u{ffa0}\u{fdd0}-\u{fdef}\u{fff0}-\u{fffb}\u{fffe}\u{ffff}"
    r"\u{e0000}-\u{e007f}"
)
_COLOUR = r"\x1b\[[0-9;]*[A-Za-z]"  # of a terminal
# Scripts and symbols after which a (non-)joiner changes what is read: Arabic to Khmer, and emoji.
_JOINING = (
    r"[\p{Arabic}\p{Syriac}\p{Mongolian}\u{900}-\u{dff}\u{1780}-\u{17ff}\u{2600}-\u{27bf}\u{1f300}-\u{1faff}\u{fe0f}]"
)
HAS_CONTROL = rf"[{_INVISIBLE}\p{{Co}}]"


def strip_control(texts: pl.Series) -> pl.Series:
    """Remove invisible characters and colour codes; joiners stay after letters of scripts that need them, and in emoji.

    A character for private use stands for one that is lost, so it becomes U+FFFD, which counts as broken. By itself, or
    at the beginning of a word, it is a bullet or an icon in a font of symbols, and is removed.
    """
    return (
        texts.str.replace_all(_COLOUR, "")
        .str.replace_all(rf"({_JOINING}[\u{{200c}}\u{{200d}}])|[{_INVISIBLE}]", "${1}")
        .str.replace_all(r"(?m)(^|[ \t])\p{Co}+(?:[ \t]+\p{Co}+)*[ \t]*", "${1}")
        .str.replace_all(r"\p{Co}", "\ufffd")
    )


def unicode_form(texts: pl.Series) -> pl.Series:
    """NFKC with exceptions: see `is_kept_by_unicode_form`."""
    mapping = _compatibility_mapping()
    return texts.str.replace_many(list(mapping), list(mapping.values())).str.normalize("NFC")


_RAISED = (" 00B2", " 00B3")  # as in ㎡ and ㎥
# Full-width punctuation of Chinese text (their half-width forms belong to other languages) and the ellipsis.
CHINESE_PUNCTUATION = "！（），：；？～…"


def is_kept_by_unicode_form(character: str) -> bool:
    """Whether NFKC would change `character`, but `unicode_form` does not.

    Chinese punctuation keeps its full width. Superscripts, subscripts, fractions and circled characters stay, since
    folding them changes what is said (10² is not 102, ①2 is not 12, 10㎡ is not 10m2). Jamo that stand alone (ㅋㅋㅋ)
    would become jamo that join, and the vowel am of Thai and Lao two characters. A spacing accent would become a space
    and a combining accent.
    """
    tag = unicodedata.decomposition(character).partition(" ")[0]
    return (
        character in CHINESE_PUNCTUATION
        or tag in ("<super>", "<sub>", "<fraction>", "<circle>")
        or "\u3131" <= character <= "\u318e"
        or character in "\u0e33\u0eb3"
        or (tag == "<square>" and any(number in unicodedata.decomposition(character) for number in _RAISED))
        or (unicodedata.normalize("NFKC", character)[0] == " " and unicodedata.category(character) != "Zs")
    )


@cache
def _compatibility_mapping() -> dict[str, str]:
    """Every character with a compatibility decomposition that is not kept, and its NFKC form."""
    return {
        character: unicodedata.normalize("NFKC", character)
        for character in _characters_of_unicode()
        if unicodedata.decomposition(character).startswith("<") and not is_kept_by_unicode_form(character)
    }


@cache
def unicode_form_trigger() -> str:
    """Class of the characters that `unicode_form` may change, alone or beside another (combining characters)."""
    mapping = _compatibility_mapping()
    return (
        _character_class(
            character
            for character in _characters_of_unicode()
            if character in mapping
            or not unicodedata.is_normalized("NFC", character)
            or unicodedata.combining(character)
            or "\u1161" <= character <= "\u11ff"  # Hangul vowels and finals, which compose with what precedes them
        )
        + "|"
        + r"\p{Mc}"
    )


def _characters_of_unicode() -> Iterator[str]:
    return map(chr, chain(range(0xD800), range(0xE000, 0x30000)))


def _character_class(characters: Iterator[str]) -> str:
    """A regular expression class of `characters`, which come in order."""
    ranges: list[list[int]] = []
    for code in map(ord, characters):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(f"\\u{{{first:x}}}-\\u{{{last:x}}}" for first, last in ranges) + "]"


OPENCC_CONFIGURATION = {"simplified": "tw2s", "traditional": "s2t"}
"""From traditional, Taiwan's configuration: it also knows 著 for 着, and all else as the general one does."""
_KEPT_WORDS = re.compile(
    "(土著|乾[清隆坤卦元符宁封陵县])"
)  # where 著 and 乾 are simplified, too; 乾清宫 has been converted


def chinese_variant(variant: str) -> Callable[[pl.Series], pl.Series]:
    """A step that writes everything in one variant of Chinese, by OpenCC's dictionaries of words and characters."""

    def convert(text: str) -> str:
        parts = _KEPT_WORDS.split(text) if variant == "simplified" else [text]
        return "".join(
            _converter(variant).convert(part) if number % 2 == 0 else part for number, part in enumerate(parts)
        )

    # Not line by line, which takes longer; NUL ends a text for OpenCC's C++, so that what holds one is left alone.
    return lambda texts: mapped(texts, lambda text: text if "\0" in text else convert(text))


@cache
def _converter(variant: str):  # type: ignore[no-untyped-def]
    from opencc import OpenCC  # 0.1 s, and few runs convert

    return OpenCC(OPENCC_CONFIGURATION[variant])


HAS_REPEATED_PUNCTUATION = (
    r"[！？]{3}|。。。|，，，|、、、|；；；|：：：|～～～|………|———|\p{Han}(?:!!!|\?\?\?|~~~|\.{4})"
)


def collapse_punctuation(texts: pl.Series) -> pl.Series:
    """Three or more of one mark become one; a row of full stops or dots becomes `……`, and of dashes `——`.

    Two of a kind stay as they are, and so does half-width punctuation that does not follow a Chinese character: it may
    be code or Markdown.
    """
    return (
        texts.str.replace_all(r"[！？]+(?:？！|！？)[！？]*|(?:？！|！？)[！？]+", "？！")
        .str.replace_all("！！！+", "！")
        .str.replace_all("？？？+", "？")
        .str.replace_all("，，，+", "，")
        .str.replace_all("、、、+", "、")
        .str.replace_all("；；；+", "；")
        .str.replace_all("：：：+", "：")
        .str.replace_all("～～～+", "～")
        .str.replace_all("。。。+|………+", "……")
        .str.replace_all("———+", "——")
        .str.replace_all(r"(\p{Han})\.{4,}", "${1}……")
        .str.replace_all(r"(\p{Han})~~~+", "${1}~")
        .str.replace_all(r"(\p{Han})!!!+", "${1}!")
        .str.replace_all(r"(\p{Han})\?\?\?+", "${1}?")
    )
