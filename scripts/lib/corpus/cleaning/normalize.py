"""Steps that give the same text one spelling: invisible characters, widths, variants, blanks, punctuation.

Each takes and gives a series of texts. The pattern beside a step matches in every text that the step may change; it is
much cheaper than the step, so that clean text costs a scan.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import compress

import polars as pl

from lib.text.series import HAN, mapped

# Control characters other than white space; soft hyphen, fillers, zero-width and direction marks, byte order marks,
# annotation marks, noncharacters, tags; private use. Variation selectors stay, since they choose a form of a character.
_INVISIBLE = (
    r"\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{180e}\u{200b}-\u{200f}"
    r"\u{202a}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{feff}\u{ffa0}\u{fdd0}-\u{fdef}\u{fff0}-\u{fffb}\u{fffe}\u{ffff}"
    r"\u{e0000}-\u{e007f}\p{Co}"
)
# Scripts and symbols after which a (non-)joiner changes what is read: Arabic to Khmer, and emoji.
_JOINING = (
    r"[\p{Arabic}\p{Syriac}\p{Mongolian}\u{900}-\u{dff}\u{1780}-\u{17ff}\u{2600}-\u{27bf}\u{1f300}-\u{1faff}\u{fe0f}]"
)
HAS_CONTROL = f"[{_INVISIBLE}]"


def strip_control(texts: pl.Series) -> pl.Series:
    """Remove invisible characters; joiners stay after letters of scripts that need them, and in emoji."""
    return texts.str.replace_all(rf"({_JOINING}[\u{{200c}}\u{{200d}}])|[{_INVISIBLE}]", "${1}")


def unicode_form(texts: pl.Series) -> pl.Series:
    """NFKC with exceptions: see `is_kept_by_unicode_form`."""
    mapping = _compatibility_mapping()
    return texts.str.replace_many(list(mapping), list(mapping.values())).str.normalize("NFC")


# Full-width marks of Chinese text (their half-width forms belong to other languages) and the ellipsis.
CHINESE_PUNCTUATION = "！（），：；？～…"


def is_kept_by_unicode_form(character: str) -> bool:
    """Whether NFKC would change `character`, but `unicode_form` does not.

    Chinese punctuation keeps its full width. Superscripts, subscripts, fractions and circled characters stay, since
    folding them changes what is said (10² is not 102, ①2 is not 12). A spacing accent would become a blank and a
    combining accent.
    """
    tag = unicodedata.decomposition(character).partition(" ")[0]
    return (
        character in CHINESE_PUNCTUATION
        or tag in ("<super>", "<sub>", "<fraction>", "<circle>")
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
            or unicodedata.normalize("NFC", character) != character
            or unicodedata.combining(character)
            or "\u1161" <= character <= "\u11ff"  # Hangul vowels and finals, which compose with what precedes them
        )
        + "|"
        + r"\p{Mc}"
    )


def _characters_of_unicode() -> Iterator[str]:
    return (chr(code) for code in range(0x30000) if not 0xD800 <= code <= 0xDFFF)


def _character_class(characters: Iterator[str]) -> str:
    """A regular expression class of `characters`, which come in order."""
    ranges: list[list[int]] = []
    for code in map(ord, characters):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(f"\\u{{{first:x}}}-\\u{{{last:x}}}" for first, last in ranges) + "]"


OPENCC_CONFIGURATION = {"simplified": "t2s", "traditional": "s2t"}


def chinese_variant(variant: str) -> Callable[[pl.Series], pl.Series]:
    """A step that writes everything in one variant of Chinese, by OpenCC's dictionaries of words and characters."""

    def convert(texts: pl.Series) -> pl.Series:
        # Not line by line, which takes longer; NUL ends a text for OpenCC's C++, so that what holds one is left alone.
        return mapped(texts, lambda text: text if "\0" in text else _converter(variant).convert(text))

    return convert


@cache
def _converter(variant: str):  # type: ignore[no-untyped-def]
    from opencc import OpenCC  # 0.1 s, and few runs convert

    return OpenCC(OPENCC_CONFIGURATION[variant])


_BREAK = r"\r\n|[\r\x0b\x0c\x{85}\u{2028}\u{2029}]"
_MARK = r"[\u{3001}\u{3002}\u{3008}-\u{3011}\u{3014}-\u{301b}！（），：；？]"  # Chinese; it needs no blank
_CJK = r"[\p{Han}\u{3001}\u{3002}\u{3008}-\u{3011}\u{3014}-\u{301b}！（），：；？]"
_LONE = r"(?:\A|[^\w])\p{Han} \p{Han}(?:[^\w]|\z)"
_SEGMENTED = r"\p{Han} \p{Han}{1,4} \p{Han}{1,4} \p{Han}"
HAS_EXCESS_BLANKS = (
    rf"[\t\p{{Zs}}--[ ]]|  |{_BREAK}|\n[ \n]| \n|\A[ \n]|[ \n]\z|{_MARK} {_CJK}|{_CJK} {_MARK}|{_LONE}|{_SEGMENTED}"
)
_LONE_CHARACTERS = re.compile(rf"(?<!\w)[{HAN}](?: [{HAN}](?!\w))+")
_PIECES = re.compile(rf"[{HAN}]+")
_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_GAP_OR_MARK = re.compile(rf"(?<=[{HAN}“”‘’、-】！（），：；？…—]) (?=[{HAN}“”‘’、-】！（），：；？…—])")


def collapse_whitespace(texts: pl.Series) -> pl.Series:
    """One blank between words, one break between lines, no blanks at ends of lines; see `_close` for Chinese."""
    texts = (
        texts.str.replace_all(_BREAK, "\n")
        .str.replace_all(r"[\t\p{Zs}]+", " ")
        .str.replace_all(r" ?\n[ \n]*", "\n")
        .str.strip_chars(" \n")
        .str.replace_all(f"({_MARK}) ({_CJK})", "${1}${2}")
        # Twice, since a match cannot begin with the character that ended the one before it.
        .str.replace_all(f"({_CJK}) ({_MARK})", "${1}${2}")
        .str.replace_all(f"({_MARK}) ({_CJK})", "${1}${2}")
    )
    spread = texts.str.contains(f"{_LONE}|{_SEGMENTED}").arg_true()
    return texts.scatter(spread, mapped(texts.gather(spread), _close)) if len(spread) else texts


def _close(text: str) -> str:
    """`三 国 演 义` and `他 把 书 放在 桌上` without their blanks.

    A blank between longer pieces separates clauses, verses or names, and stays; not in a text most of which is
    segmented, where headlines are, too.
    """
    lines = text.split("\n")
    segmented = [_is_segmented(line) for line in lines]
    if 2 * sum(map(len, compress(lines, segmented))) > len(text):
        return _GAP_OR_MARK.sub("", text)
    return "\n".join(
        _GAP_OR_MARK.sub("", line)
        if is_segmented
        else _LONE_CHARACTERS.sub(lambda match: match[0].replace(" ", ""), line)
        for line, is_segmented in zip(lines, segmented, strict=True)
    )


def _is_segmented(line: str) -> bool:
    """Whether blanks set words apart: short pieces, a good part of them single characters, which no list of names has.

    Half of the words of a newspaper are single characters, and its words have 1.6 characters on average; verses have
    pieces of three to seven characters.
    """
    pieces = _PIECES.findall(line)
    return (
        len(pieces) >= 6
        and sum(map(len, pieces)) <= 2.6 * len(pieces)
        and sum(len(piece) == 1 for piece in pieces) >= 0.15 * len(pieces)
        and len(_GAP.findall(line)) >= 0.5 * len(pieces)
    )


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
