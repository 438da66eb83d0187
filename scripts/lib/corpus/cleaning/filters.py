"""Rules that drop whole documents, each by one number that it measures and a limit from the settings.

A rule is named after the setting that holds its limit. Shares of characters are counted for all documents at once: the
texts of a block stand one behind another in an array of code points, and a table tells the kind of each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.corpus.cleaning.blocked_words import count_words
from lib.corpus.cleaning.language import language_probability
from lib.corpus.cleaning.mojibake import broken_share
from lib.corpus.quality.lists import dated_line_share, enumerated_share
from lib.corpus.quality.spam import spam_density
from lib.settings.corpus import CleaningSettings
from lib.text.chunks import cut, in_pieces, slices
from lib.text.scripts import ANY_SCRIPT, script_pattern
from lib.text.series import character_lengths, content_of, text_of

NGRAM = 10
"""Characters in a repeated n-gram: about as much as six words of English."""
BLOCK_CHARACTERS = 1 << 15
"""Characters of short documents that are measured at a time: their arrays fit into a processor's cache."""
COMPARED_CHARACTERS = 1 << 20
"""Characters of a document that are looked at for repetition."""

SPACE, DIGIT, SYMBOL, OTHER_LETTER, TARGET, MARK = range(6)
_DRAWN = (0x2500, 0x257F)  # first and last of the characters that tables are drawn with, which count like dashes
_PLAIN_PUNCTUATION = "，。、；：？！“”‘’（）《》〈〉「」『』【】〔〕〖〗…—–～·「」.,;:!?'\"()[]-"


@dataclass(frozen=True)
class Rule:
    """Drops documents whose `measure` lies beyond the limit that the setting `name` gives."""

    name: str
    measure: Callable[[pl.Series, pl.DataFrame, CleaningSettings], pl.Series]
    """From the texts and their `character_shares`."""
    is_minimum: bool
    """Whether the limit is the least, not the most, that a document may have."""
    is_on: Callable[[CleaningSettings], bool] = lambda settings: True

    def passes(self, values: pl.Series, settings: CleaningSettings) -> pl.Series:
        limit: float = getattr(settings, self.name)
        return values >= limit if self.is_minimum else values <= limit


def _share(name: str) -> Callable[[pl.Series, pl.DataFrame, CleaningSettings], pl.Series]:
    return lambda texts, shares, settings: shares[name]


LENGTH = Rule("minimum_length", lambda texts, *_: pl.Series(character_lengths(texts)), is_minimum=True)
RULES = (
    Rule("maximum_broken", lambda texts, *_: broken_share(texts), is_minimum=False),
    Rule(
        "minimum_target_script",
        lambda texts, shares, settings: target_script_share(texts, shares["target_script"], settings),
        is_minimum=True,
        is_on=lambda settings: settings.target_script != "any",
    ),
    Rule("maximum_symbols", _share("symbols"), is_minimum=False),
    Rule("maximum_digits", _share("digits"), is_minimum=False),
    Rule("maximum_repeated_characters", _share("repeated_characters"), is_minimum=False),
    Rule("maximum_repeated_ngrams", _share("repeated_ngrams"), is_minimum=False),
    Rule("maximum_enumeration", lambda texts, *_: enumerated_share(texts), is_minimum=False),
    Rule("maximum_dated_lines", lambda texts, *_: dated_line_share(texts), is_minimum=False),
    Rule("maximum_spam", lambda texts, *_: spam_density(texts), is_minimum=False),
    Rule("maximum_repeated_lines", lambda texts, *_: repeated_lines(texts), is_minimum=False),
    Rule(
        "maximum_blocked_words",
        lambda texts, _, settings: count_words(texts, str(settings.blocked_words)),
        is_minimum=False,
        is_on=lambda settings: settings.blocked_words is not None,
    ),
    Rule(
        "minimum_language",
        lambda texts, _, settings: language_probability(texts, settings.expected_languages),
        is_minimum=True,
        is_on=lambda settings: bool(settings.expected_languages),
    ),
)
"""In the order in which they run: the cheap ones first."""


def character_shares(texts: pl.Series, target_script: str) -> pl.DataFrame:
    """What the characters of each text are, as shares between 0 and 1.

    target_script: of the letters, those of the script (1 without letters). symbols, digits: of all characters but white
    space and repeats of a symbol, so that a drawn line counts as one. repeated_characters: of all characters, letters
    and digits equal to the one before. repeated_ngrams: of all runs of `NGRAM` characters, those that stand earlier in
    the same text.
    """
    kinds = _kinds(target_script)
    rows, pieces = in_pieces(texts)
    counted = np.zeros((len(texts), len(_COUNTED)), np.int64)
    done = 0
    for block in _blocks(pieces):
        np.add.at(counted, rows[done : done + len(block)], _count(block, kinds))
        done += len(block)
    count = dict(zip(_COUNTED, counted.T, strict=True))
    visible, characters, ngrams = (np.maximum(count[name], 1) for name in ("visible", "characters", "ngrams"))
    target_share = np.where(count["letters"], count["target"] / np.maximum(count["letters"], 1), 1.0)
    return pl.DataFrame(
        {
            "target_script": target_share,
            "symbols": count["symbols"] / visible,
            "digits": count["digits"] / visible,
            "repeated_characters": count["repeated_characters"] / characters,
            "repeated_ngrams": count["repeated_ngrams"] / ngrams,
        }
    )


def _blocks(texts: pl.Series) -> Iterator[list[str]]:
    """The texts in order, so many at a time that a block has `BLOCK_CHARACTERS` characters or is one text."""
    block: list[str] = []
    size = 0
    for text in texts:
        if block and size + len(text) > BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
        block.append(text)
        size += len(text)
    if block:
        yield block


_COUNTED = (
    *("characters", "visible", "letters", "target", "symbols", "digits"),
    *("repeated_characters", "repeated_ngrams", "ngrams"),
)


def _count(texts: list[str], kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """For each of a few texts, none of them empty, the numbers `_COUNTED`. kinds[code point] is its kind."""
    lengths = np.array([len(text) for text in texts])
    ends = np.cumsum(lengths)
    starts = ends - lengths
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    kind = kinds[codes]

    def count(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.add.reduceat(mask, starts, dtype=np.int64)

    is_symbol = kind == SYMBOL
    target = count(kind == TARGET)
    repeats = np.zeros(len(codes), bool)
    np.equal(codes[1:], codes[:-1], out=repeats[1:])
    repeats[starts] = False
    repeated_symbols = count(repeats & is_symbol)
    numbers = (
        lengths,
        lengths - count(kind == SPACE) - repeated_symbols,
        target + count(kind == OTHER_LETTER),
        target,
        count(is_symbol) - repeated_symbols,
        count(kind == DIGIT),
        count(repeats & ~is_symbol & (kind != SPACE) & (kind != MARK)),
        *_repeated_ngrams(codes, starts, lengths),
    )
    return np.stack(numbers, axis=1)


_FACTOR = 0x9E3779B97F4A7C15
_SPREAD = np.uint64(0xBF58476D1CE4E5B9)


def _repeated_ngrams(
    codes: npt.NDArray[np.uint32], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many n-grams of each text it has had before, by 32-bit hashes, and how many it has.

    Two different n-grams of a text of a million characters share a hash with a probability of 1 in 4,000, which moves
    the share by nothing that matters. N-grams that are only lines of a drawn table repeat nothing.
    """
    codes = codes[:COMPARED_CHARACTERS]
    lengths = np.minimum(lengths, COMPARED_CHARACTERS)
    windows = np.maximum(lengths - NGRAM + 1, 0)
    if len(codes) < NGRAM:
        return windows, windows
    # A polynomial hash, from runs of 1, 2, 4 and 8 characters; 64 bits wide, of which the upper half is good.
    powers = {width: np.uint64(pow(_FACTOR, width, 1 << 64)) for width in (1, 2, 4)}
    hashes = {1: codes.astype(np.uint64) * _SPREAD}
    for half in (1, 2, 4):
        hashes[2 * half] = hashes[half][:-half] * powers[half] + hashes[half][half:]
    grams = hashes[8][:-2] * powers[2] + hashes[2][8:]
    grams ^= grams >> np.uint64(29)
    grams *= _SPREAD
    grams >>= np.uint64(32)

    text = np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths)
    position = np.arange(len(codes)) - np.repeat(starts, lengths)
    inside = (position <= np.repeat(lengths, lengths) - NGRAM)[: len(grams)]
    drawn = np.append(0, np.cumsum((codes >= _DRAWN[0]) & (codes <= _DRAWN[1])))
    inside &= drawn[NGRAM : NGRAM + len(grams)] - drawn[: len(grams)] < NGRAM
    keys = (text[: len(grams)] << np.uint64(32) | grams)[inside]
    keys.sort()
    repeated = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
    return np.bincount(repeated.astype(np.int64), minlength=len(lengths)), windows


@cache
def _kinds(target_script: str) -> npt.NDArray[np.uint8]:
    """Kind of every code point, by Unicode's tables as polars has them."""
    codes = np.array([*range(0xD800), *range(0xE000, 0x32000), *range(0xE0000, 0xE0200)])  # beyond: nothing assigned
    characters = pl.Series([chr(code) for code in codes])

    def of(pattern: str) -> npt.NDArray[np.bool_]:
        return characters.str.contains(pattern).to_numpy()

    kind = np.full(len(codes), SYMBOL, np.uint8)
    kind[of(r"[\p{L}\p{M}]")] = OTHER_LETTER
    kind[of(r"\p{N}")] = DIGIT
    kind[of(r"[\s\p{Z}]")] = SPACE
    kind[characters.is_in(list(_PLAIN_PUNCTUATION)).to_numpy()] = MARK
    kind[(codes >= _DRAWN[0]) & (codes <= _DRAWN[1])] = MARK
    if target_script != ANY_SCRIPT:
        kind[of(script_pattern(target_script)) & (kind == OTHER_LETTER)] = TARGET
    table = np.full(0x110000, SYMBOL, np.uint8)
    table[codes] = kind
    return table


_COMMANDS = (
    r"(?:https?|ftp)://[!-~]+"
    r"|\\(?:begin|end|label|(?:eq|page|auto)?ref|cite\w*|input|include\w*|usepackage|documentclass)\*?(?:\[[^\]]*\])?\{[^{}]*\}"
    r"|\\[A-Za-z]+"
)
"""Addresses and commands of LaTeX, whose letters are in no language."""


def target_script_share(texts: pl.Series, shares: pl.Series, settings: CleaningSettings) -> pl.Series:
    """`shares` of letters in the target script, raised where letters of addresses and of LaTeX commands made them low.

    Below half the limit, a text is taken for a program with comments.
    """
    limit = settings.minimum_target_script
    rows = ((shares < limit) & (shares >= limit / 2) & texts.str.contains(_COMMANDS)).arg_true()
    if not len(rows):
        return shares
    prose = texts.gather(rows).str.replace_all(_COMMANDS, " ")
    return shares.scatter(rows, character_shares(prose, settings.target_script)["target_script"])


FEWEST_LINES = 10
"""Documents with fewer lines are not judged by their lines."""
LINE_BREAK = 10
"""Characters that a line weighs beside its own: short replies count by their number, headings between long paragraphs
by their length."""


def repeated_lines(texts: pl.Series) -> pl.Series:
    """Share of the lines of each text that repeat an earlier one, each weighing its characters and `LINE_BREAK`.

    Lines without a letter or digit (`}`) are left out.
    """
    return pl.concat(
        [_repeated_lines_of_long(some) if is_long else _repeated_lines(some) for some, is_long in slices(texts)]
    )


def _repeated_lines(texts: pl.Series) -> pl.Series:
    shares = pl.repeat(0.0, len(texts), eager=True)
    rows = (texts.str.count_matches("\n", literal=True) + 1 >= FEWEST_LINES).arg_true()
    if len(rows):
        lines = texts.gather(rows).str.split("\n").list.eval(pl.element().filter(pl.element().str.contains(r"\w")))
        weight = pl.element().str.len_chars() + LINE_BREAK
        total = lines.list.eval(weight).list.sum()
        unique = lines.list.unique().list.eval(weight).list.sum()
        shares.scatter(rows, (total - unique) / total.clip(lower_bound=1))
    return shares


def _repeated_lines_of_long(text: pl.Series) -> pl.Series:
    every, total, unique, hashes = 0, 0, 0, np.zeros(0, np.uint64)
    for piece, _ in cut(content_of(text)):
        found = text_of(piece).str.split("\n").explode()
        every += len(found)
        found = found.filter(found.str.contains(r"\w"))
        weights = found.str.len_chars().to_numpy().astype(np.int64) + LINE_BREAK
        new, first = np.unique(found.hash().to_numpy(), return_index=True)
        total += int(weights.sum())
        unique += int(weights[first[~np.isin(new, hashes)]].sum())
        hashes = np.union1d(hashes, new)
    return pl.Series([(total - unique) / max(total, 1) if every >= FEWEST_LINES else 0.0])
