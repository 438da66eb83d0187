"""Text that was decoded in the wrong encoding: mending it where its bytes can be had back, and telling what is lost.

UTF-8 read as Windows-1252 or Latin-1 (`ä½\xa0å¥½`) is mended by ftfy, whose heuristics leave accents beside quotation
marks alone (`café”…`). UTF-8 read as GBK (`浣犲ソ`) is mended here, since ftfy does not know it.

Of 1,000 sentences read as GBK, ftfy 6.3 mends nothing. Here, two thirds of a sentence come back on average; the bytes
of the rest are lost.
"""

import re
from functools import cache

import numpy as np
import polars as pl

from lib.files.decoding import FREQUENT
from lib.text.chunks import in_pieces
from lib.text.series import character_lengths, mapped

# What the bytes 80-BF of UTF-8 look like in Windows-1252 and Latin-1, behind what its first bytes look like.
_CONTINUATION = (
    r"[\u{80}-\u{bf}\u{152}\u{153}\u{160}\u{161}\u{178}\u{17d}\u{17e}\u{192}\u{2c6}\u{2dc}\u{2013}\u{2014}"
    r"\u{2018}-\u{201a}\u{201c}-\u{201e}\u{2020}-\u{2022}\u{2026}\u{2030}\u{2039}\u{203a}\u{20ac}\u{2122}]"
)
_LATIN = (
    rf"[\u{{c2}}-\u{{df}}]{_CONTINUATION}|[\u{{e0}}-\u{{ef}}]{_CONTINUATION}{{2}}"
    rf"|[\u{{f0}}-\u{{f4}}]{_CONTINUATION}{{3}}"
)
_LATIN_IN_LINE = re.compile(re.sub(r"\\u\{(\w+)\}", lambda code: chr(int(code[1], 16)), _LATIN))


@cache
def _as_gbk() -> str:
    """Pattern of two Chinese characters in UTF-8, six bytes, that were read as three characters of GBK.

    The first and the last byte of each character narrow down what the three can be, so that running Chinese text
    matches less than once in 30,000 characters.
    """
    first, middle, last = [], [], []
    for code in range(0x81, 0xFF):
        for trail in range(0x40, 0xFF):
            try:
                character = bytes([code, trail]).decode("gbk")
            except UnicodeDecodeError:
                continue
            if 0xE2 <= code <= 0xEF and 0x80 <= trail <= 0xBF:
                first.append(character)
            elif code <= 0xBF and 0xE2 <= trail <= 0xEF:
                middle.append(character)
            elif code <= 0xBF and 0x80 <= trail <= 0xBF:
                last.append(character)
    return "".join(f"[{''.join(sorted(characters))}]" for characters in (first, middle, last))


@cache
def has_mojibake() -> str:
    """Pattern of what `repair_mojibake` may change."""
    return f"{_LATIN}|{_as_gbk()}"


def repair_mojibake(texts: pl.Series) -> pl.Series:
    """Decode again, in the right encoding, what was decoded in the wrong one."""
    return mapped(texts, lambda text: "\n".join(_repair(line) for line in text.split("\n")))


def _repair(line: str) -> str:
    if _LATIN_IN_LINE.search(line):
        from ftfy import fix_encoding  # few texts need it

        line = fix_encoding(line)
    pieces: list[str] = []
    position = 0
    while match := _gbk_in_line().search(line, position):
        text, end = _from_gbk(line, match.start())
        pieces += (line[position : match.start()], text)
        position = end
    return "".join((*pieces, line[position:]))


@cache
def _gbk_in_line() -> re.Pattern[str]:
    return re.compile(_as_gbk())


def _from_gbk(line: str, start: int) -> tuple[str, int]:
    """The characters of `line` from `start` on as the UTF-8 that they were, and where they end; else as they are.

    They go as far as their bytes are UTF-8 for characters in everyday use. They must look unlike Chinese themselves:
    half of them, at least, are not among the 3,755 characters of the first level of GB 2312, 99 % of all text.
    """
    text = ""
    end = start + 1
    waiting = b""  # bytes of a character that is not complete
    for position in range(start, len(line)):
        waiting += line[position].encode("gb18030")
        try:
            piece = waiting.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                continue
            break
        if line[position].isascii() or not all(letter.isascii() or _is_in_gb2312(letter) for letter in piece):
            break
        text += piece
        end = position + 1
        waiting = b""
    usual = sum(_is_usual(character) for character in line[start:end])
    return (text, end) if text and usual <= (end - start) / 2 else (line[start:end], end)


def _is_usual(character: str) -> bool:
    """Whether `character` is Chinese punctuation or of the first level of GB 2312."""
    code = character.encode("gb2312", "replace")
    return len(code) == 2 and (code[0] <= 0xA9 or 0xB0 <= code[0] <= 0xD7)


def _is_in_gb2312(character: str) -> bool:
    return len(character.encode("gb2312", "replace")) == 2


@cache
def broken() -> str:
    """Pattern of characters that stand for lost ones: U+FFFD, alone or misread as GBK (锟斤拷), and misread UTF-8.

    The last only in a row: three such characters occur in names, six in no text.
    """
    return rf"\u{{fffd}}|锟斤拷|(?:{_as_gbk()}){{2,}}"


FEWEST_HAN = 30
"""Chinese characters of a text from which on it can be told that they are the wrong ones."""
LEAST_FREQUENT = 0.08
"""Share of frequent ones among the Chinese characters of any text. GBK read as Big5 has 0 to 0.06; manuals, news and a
novel of the 14th century have 0.3 and more, and so do the Chinese characters of Japanese."""
_FREQUENT = "[" + "".join(sorted(FREQUENT)) + "]"


def broken_share(texts: pl.Series) -> pl.Series:
    """Share of the characters of each text that are broken: 1 where Chinese was misread as other Chinese."""
    frequent = texts.str.count_matches(_FREQUENT)
    # Where enough of all characters are frequent, the Chinese ones need not be counted.
    rows = (frequent < LEAST_FREQUENT * pl.Series(character_lengths(texts))).arg_true()
    han = texts.gather(rows).str.count_matches(r"\p{Han}")
    is_misread = (han >= FEWEST_HAN) & (frequent.gather(rows) < LEAST_FREQUENT * han)
    return _lost_share(texts).scatter(rows.filter(is_misread), 1.0)


def _lost_share(texts: pl.Series) -> pl.Series:
    rows, pieces = in_pieces(texts)
    counts = np.zeros(len(texts), np.int64)
    found = pieces.str.contains(broken()).arg_true()
    if len(found):
        damaged = pieces.gather(found)
        lost = damaged.str.len_chars() - damaged.str.replace_all(broken(), "").str.len_chars()
        np.add.at(counts, rows[found.to_numpy()], lost.to_numpy())
    return pl.Series(counts / np.maximum(character_lengths(texts), 1))
