"""Clean documents: one vectorised step after another over all documents of a shard.

Steps, in this order: strip_html, strip_control, unicode_form, collapse_whitespace, then minimum_length. A step can
uncover work for an earlier one (`&amp;lt;b&gt;` hides a tag twice over), so changed documents in which something like
markup is left go through all steps again until nothing changes. Cleaning a clean document therefore changes nothing.
Each step looks for a trigger first and rewrites only the documents that have one.
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import polars as pl

from lib.markup import HAS_MARKUP, replaced, strip_markup
from lib.settings.corpus import CleaningSettings

MAX_ROUNDS = 100  # nobody nests markup this deep by accident; bounds the time that a hostile document can take


@dataclass(frozen=True)
class Step:
    """A rewriting step: `rewrite` is applied to the documents in which the regular expression `trigger` matches."""

    name: str
    trigger: Callable[[], str]
    rewrite: Callable[[pl.Series], pl.Series]


@dataclass(frozen=True)
class Counts:
    """What one rule did to the documents of a shard. Characters: in - removed - dropped = out."""

    documents_in: int
    documents_changed: int
    documents_dropped: int
    documents_out: int
    characters_in: int
    characters_removed: int
    characters_dropped: int
    characters_out: int


@dataclass(frozen=True)
class Cleaned:
    """Documents of a shard after cleaning."""

    kept: pl.DataFrame
    """Columns id, text."""
    dropped: pl.DataFrame
    """Columns id, rule, value (what the rule measured), text."""
    counts: dict[str, Counts]
    """By rule, in the order in which they ran."""


def clean(documents: pl.DataFrame, settings: CleaningSettings) -> Cleaned:
    """Clean `documents` (columns id, text) by the steps that `settings` switch on."""
    texts = documents["text"]
    steps = [step for step in STEPS if getattr(settings, step.name)]
    changed = {step.name: pl.repeat(False, len(texts), eager=True) for step in steps}
    removed = dict.fromkeys(changed, 0)

    active = pl.int_range(len(texts), dtype=pl.UInt32, eager=True)
    for _ in range(MAX_ROUNDS):
        touched = [active.clear()]
        for step in steps:
            before = texts.gather(active)
            hits = before.str.contains(step.trigger()).arg_true()
            if not len(hits):
                continue
            old = before.gather(hits)
            new = step.rewrite(old)
            differs = (old != new).arg_true()
            old, new, rows = old.gather(differs), new.gather(differs), active.gather(hits).gather(differs)
            texts = replaced(texts, rows, new)
            changed[step.name] = replaced(changed[step.name], rows, pl.repeat(True, len(rows), eager=True))
            removed[step.name] += _characters(old) - _characters(new)
            touched.append(rows)
        active = pl.concat(touched).unique().sort()
        active = active.filter(texts.gather(active).str.contains(HAS_MARKUP))
        if not settings.strip_html or not len(active):
            break

    counts: dict[str, Counts] = {}
    documents_in, characters = len(texts), _characters(documents["text"])
    for name, mask in changed.items():
        counts[name] = Counts(
            documents_in=documents_in,
            documents_changed=int(mask.sum()),
            documents_dropped=0,
            documents_out=documents_in,
            characters_in=characters,
            characters_removed=removed[name],
            characters_dropped=0,
            characters_out=characters - removed[name],
        )
        characters -= removed[name]

    cleaned = documents.select("id").with_columns(text=texts, value=texts.str.len_chars().cast(pl.Float64))
    is_kept = cleaned["value"] >= settings.minimum_length
    kept = cleaned.filter(is_kept)
    dropped = cleaned.filter(~is_kept)
    counts["minimum_length"] = Counts(
        documents_in=documents_in,
        documents_changed=0,
        documents_dropped=len(dropped),
        documents_out=len(kept),
        characters_in=characters,
        characters_removed=0,
        characters_dropped=_characters(dropped["text"]),
        characters_out=_characters(kept["text"]),
    )
    return Cleaned(
        kept.select("id", "text"),
        dropped.select("id", pl.lit("minimum_length").alias("rule"), "value", "text"),
        counts,
    )


def clean_texts(texts: list[str], settings: CleaningSettings) -> list[str]:
    """The cleaned form of each text, however short. For tests and for a look at single texts."""
    everything = settings.model_copy(update={"minimum_length": 0})
    return (
        clean(pl.DataFrame({"id": [""] * len(texts), "text": pl.Series(texts, dtype=pl.String)}), everything)
        .kept["text"]
        .to_list()
    )


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
def _unicode_form_trigger() -> str:
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


_BREAK = r"\r\n|[\r\x0b\x0c\x{85}\u{2028}\u{2029}]"
_CJK = r"[\p{Han}\u{3001}\u{3002}\u{3008}-\u{3011}\u{3014}-\u{301b}！（），：；？]"
_EXCESS_BLANKS = r"[\t\p{Zs}--[ ]]|  |" + _BREAK + r"|\n[ \n]| \n|\A[ \n]|[ \n]\z|" + f"{_CJK} {_CJK}"


def collapse_whitespace(texts: pl.Series) -> pl.Series:
    """One blank between words, one break between lines; no blanks at ends of lines or between Chinese characters."""
    return (
        texts.str.replace_all(_BREAK, "\n")
        .str.replace_all(r"[\t\p{Zs}]+", " ")
        .str.replace_all(r" ?\n[ \n]*", "\n")
        .str.strip_chars(" \n")
        # Twice, since a match cannot begin with the character that ended the one before it.
        .str.replace_all(f"({_CJK}) ({_CJK})", "${1}${2}")
        .str.replace_all(f"({_CJK}) ({_CJK})", "${1}${2}")
    )


STEPS = (
    Step("strip_html", lambda: HAS_MARKUP, strip_markup),
    Step("strip_control", lambda: f"[{_INVISIBLE}]", strip_control),
    Step("unicode_form", _unicode_form_trigger, unicode_form),
    Step("collapse_whitespace", lambda: _EXCESS_BLANKS, collapse_whitespace),
)


def _characters(texts: pl.Series) -> int:
    return int(texts.str.len_chars().sum())
