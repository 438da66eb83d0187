"""Spaces and line breaks: layout that means nothing goes, layout that is part of the text stays.

The indentation of code and the empty line between paragraphs stay. Spaces at the ends of lines, indentation before
Chinese text and spaces inside Chinese words go. Lines that a text editor broke at a fixed width are joined.
"""

import re
from collections import Counter
from itertools import compress, pairwise

import polars as pl

from lib.text.series import HAN, mapped, replaced

_BREAK = r"\r\n|[\r\x0b\x0c\x{85}\u{2028}\u{2029}]"
_PUNCTUATION = r"[\u{3001}\u{3002}\u{3008}-\u{3011}\u{3014}-\u{301b}！（），：；？]"  # Chinese; it needs no space
_CJK = r"[\p{Han}\u{3001}\u{3002}\u{3008}-\u{3011}\u{3014}-\u{301b}！（），：；？]"
_LONE = r"(?:\A|[^\w])\p{Han} \p{Han}(?:[^\w]|\z)"
_SEGMENTED = r"\p{Han} \p{Han}{1,4} \p{Han}{1,4} \p{Han}"
_GAP_PATTERN = r"\p{Han} \p{Han}"
HAS_EXCESS_SPACE = (
    rf"[\t\p{{Zs}}--[ ]]|  |{_BREAK}|\n\n\n|\n | \n|\A[ \n]|[ \n]\z"
    rf"|{_PUNCTUATION} {_CJK}|{_CJK} {_PUNCTUATION}|{_GAP_PATTERN}"
)
# A line that is indented and goes on in ASCII, or a fence of Markdown: layout may be part of the text.
_HAS_CODE = r"(?m)^(?:[ \t]+[!-~]|```|~~~)"


def collapse_whitespace(texts: pl.Series) -> pl.Series:
    """One space between words, at most one empty line between lines, none at the ends of lines.

    Lines that are indented and begin with an ASCII character keep their indentation, and so does what stands between
    fences of Markdown. For spaces between Chinese characters see `_close`.
    """
    texts = texts.str.replace_all(_BREAK, "\n").str.replace_all(r"[\t\p{Zs}]+(\n|\z)", "${1}")
    code = texts.str.contains(_HAS_CODE).arg_true()
    kept = mapped(texts.gather(code), _keep_indentation)
    texts = (
        texts.str.replace_all(r"[\t\p{Zs}]+", " ")
        .str.replace_all(r"\n ", "\n")
        .str.replace_all(r"\n{3,}", "\n\n")
        .str.strip_chars(" \n")
    )
    if len(code):
        texts = texts.scatter(code, kept)
    texts = (
        texts.str.replace_all(f"({_PUNCTUATION}) ({_CJK})", "${1}${2}")
        # Twice, since a match cannot begin with the character that ended the one before it.
        .str.replace_all(f"({_CJK}) ({_PUNCTUATION})", "${1}${2}")
        .str.replace_all(f"({_PUNCTUATION}) ({_CJK})", "${1}${2}")
    )
    spread = texts.str.contains(f"{_LONE}|{_SEGMENTED}|{_GAP_PATTERN}[^\n]*{_GAP_PATTERN}").arg_true()
    return texts.scatter(spread, mapped(texts.gather(spread), _close)) if len(spread) else texts


_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_INDENTED = re.compile(r"([ \t]*)([!-~].*)", re.DOTALL)
_SPACES = re.compile(r"[\t\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")


def _keep_indentation(text: str) -> str:
    """A text with code in it, line by line; its lines end in no space."""
    lines: list[str] = []
    inside = False
    for line in text.split("\n"):
        is_fence = bool(_FENCE.match(line))
        if inside or is_fence or ((match := _INDENTED.fullmatch(line)) and match[1]):
            lines.append(line)
        else:
            lines.append(_SPACES.sub(" ", line).strip(" "))
        inside ^= is_fence
    # Two empty lines stand between the functions of a Python file.
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip("\n")


_LONE_CHARACTERS = re.compile(rf"(?<!\w)[{HAN}](?: [{HAN}](?!\w))+")
_PIECES = re.compile(rf"[{HAN}]+")
_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_GAP_OR_PUNCTUATION = re.compile(rf"(?<=[{HAN}“”‘’、-】！（），：；？…—]) (?=[{HAN}“”‘’、-】！（），：；？…—])")
_CLAUSE_END = re.compile("[，。！？；：、“”（）《》]")


def _close(text: str) -> str:
    """`三 国 演 义`, `他 把 书 放在 桌上` and `开得很晚，说 那是` without their spaces.

    A space between longer pieces separates clauses, verses or names, and stays; not in a text most of which is
    segmented, where headlines are, too, and not in a sentence that a PDF has spread.
    """
    lines = text.split("\n")
    segmented = [_is_segmented(line) for line in lines]
    if 2 * sum(map(len, compress(lines, segmented))) > len(text):
        return _GAP_OR_PUNCTUATION.sub("", text)
    return "\n".join(
        _GAP_OR_PUNCTUATION.sub("", line)
        if is_segmented
        else _close_sentence(_LONE_CHARACTERS.sub(lambda match: match[0].replace(" ", ""), line))
        for line, is_segmented in zip(lines, segmented, strict=True)
    )


def _is_segmented(line: str) -> bool:
    """Whether spaces set words apart: short pieces, a good part of them single characters, which no list of names has.

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


LONGEST_NAME = 4
FEWEST_CHARACTERS = 40
"""Characters of a line that can be a sentence spread by a PDF."""


def _close_sentence(line: str) -> str:
    """A sentence without the spaces that a PDF left inside its clauses; a list of names or verses as it is.

    Between two names both sides are short, between two verses they are of one length. When neither is so at most of a
    line's spaces, they separate nothing.
    """
    if len(line) < FEWEST_CHARACTERS or len(_CLAUSE_END.findall(line)) < 2:
        return line
    pieces = _GAP.split(line)
    if len(pieces) < 3:
        return line

    def separates(before: str, behind: str) -> bool:
        """Whether the space between two pieces does, from what is next to it up to the nearest punctuation."""
        tail, head = _CLAUSE_END.split(before)[-1], _CLAUSE_END.split(behind)[0]
        return len(tail) == len(head) or 2 <= min(len(tail), len(head)) <= max(len(tail), len(head)) <= LONGEST_NAME

    separated = sum(separates(before, behind) for before, behind in pairwise(pieces))
    return line if separated >= 0.5 * (len(pieces) - 1) else "".join(pieces)


# Hiragana and katakana, as the inside of a class.
_KANA = "\u3041-\u30ff\u31f0-\u31ff"
HAS_BROKEN_LINES = rf"[\p{{Han}}{_KANA}，、][ \t]*\r?\n[ \t\u{{3000}}]*[^\s]"
"""A line that ends within a sentence."""
NARROWEST = 30
"""Least width at which lines are taken to be broken, in columns: 15 Chinese characters, more than a verse has."""
TOLERANCE = 2
"""Columns by which lines of one width may differ: a wide character that did not fit, or punctuation that hangs over."""
_BROKEN = re.compile(rf"[{HAN}{_KANA}，、A-Za-z0-9]$")
_LATIN_END, _LATIN_START = re.compile(r"[A-Za-z0-9,.;:]$"), re.compile(r"^[A-Za-z0-9]")


def join_lines(texts: pl.Series) -> pl.Series:
    """Join lines that were broken at a fixed width; an indented line or an empty one begins a paragraph."""
    rows = (texts.str.count_matches(HAS_BROKEN_LINES) >= 3).arg_true()
    return replaced(texts, rows, mapped(texts.gather(rows), _join_lines)) if len(rows) else texts


def _join_lines(text: str) -> str:
    lines = [line.rstrip() for line in re.split(r"\r?\n", text)]
    width = _fixed_width(lines)
    if width is None:
        return text
    joined: list[str] = []
    is_open = False
    for line in lines:
        if is_open and line and not line[0].isspace():
            joined[-1] += (" " if _LATIN_END.search(joined[-1]) and _LATIN_START.search(line) else "") + line
        else:
            joined.append(line)
        is_open = abs(_columns(line) - width) <= TOLERANCE
    return "\n".join(joined)


def _fixed_width(lines: list[str]) -> int | None:
    """The width in columns that most lines have, if they were broken there: most of them within a sentence."""
    widths = Counter(_columns(line) for line in lines if line)
    total = widths.total()
    if total < 4:
        return None

    def near(width: int) -> int:
        return sum(widths[width + step] for step in range(-TOLERANCE, TOLERANCE + 1))

    width = max(widths, key=lambda width: (near(width), width))
    full = [line for line in lines if abs(_columns(line) - width) <= TOLERANCE]
    if width < NARROWEST or max(widths) > width + TOLERANCE or len(full) < 0.5 * total:
        return None
    within = sum(bool(_BROKEN.search(line)) for line in full)
    with_clauses = sum(bool(_CLAUSE_END.search(line[:-1])) for line in full)
    return width if within >= 0.6 * len(full) and with_clauses >= 0.3 * len(full) else None


def _columns(line: str) -> int:
    """Columns that a line takes on a terminal, where a Chinese character takes two."""
    return len(line) + sum(map("\u1100".__le__, line))
