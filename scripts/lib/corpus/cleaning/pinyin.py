"""Pinyin that web sites put behind Chinese characters against copying: `訓(xùn)練`."""

import os
import re
import unicodedata
from functools import cache

import polars as pl

from lib.text.series import HAN, mapped

# One syllable, with a tone mark (alone or on its letter), with the number of a tone, or plain. ɑ and ɡ are the single-
# story letters of schoolbooks.
_LETTERS = "a-zA-Zêāáǎàēéěèīíǐìōóǒòūúǔùüǖǘǚǜńňǹḿɑɡ\u0300\u0301\u0304\u0308\u030c"
HAS_PINYIN = rf"\p{{Han}} ?[(（] ?[{_LETTERS}]{{1,8}}[1-5]? ?[)）]"
_GLOSS = re.compile(rf"([{HAN}]) ?[(（] ?([{_LETTERS}]{{1,8}})[1-5]? ?[)）]")
_TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0304\u030c"))


def strip_pinyin(texts: pl.Series) -> pl.Series:
    """Take out parentheses that hold one reading of the character before them, and nothing else.

    Whether it is one, pypinyin's dictionary tells: `函数(sin)`, `他(he)` and `法语的(à)` stay.
    """
    return mapped(texts, lambda text: _GLOSS.sub(_without, text))


def _without(match: re.Match[str]) -> str:
    return match[1] if _plain(match[2]) in _readings(match[1]) else match[0]


def _plain(syllable: str) -> str:
    """A syllable in small letters, without its tone; ü is v."""
    letters = unicodedata.normalize("NFD", syllable.lower()).translate(_TONES).replace("u\u0308", "v")
    return letters.replace("ɑ", "a").replace("ɡ", "g")


@cache
def _readings(character: str) -> frozenset[str]:
    """All readings of a character, without tones."""
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")  # phrases take most of its time to load, and are not asked for
    from pypinyin import Style, pinyin  # most text has no pinyin in it

    return frozenset(pinyin(character, heteronym=True, style=Style.NORMAL)[0])
