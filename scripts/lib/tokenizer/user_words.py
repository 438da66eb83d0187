"""Words of the user's own, such as the terms of a domain, as tokens.

A term stands alone wherever it occurs: the pre-tokenizer cuts it out of the text around it, and merges behind those of
the base put it together. Where the base's own pre-tokenizer would cut it (`GPT-4`), it becomes an added token instead.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, pre_tokenizers

from lib.core.errors import UserError
from lib.tokenizer.base_vocabulary import BLANK_MARK, BaseVocabulary, base_vocabulary
from lib.tokenizer.continued_bpe import Extension, Merge, extend_tokenizer

LONGEST = 64
# Scripts that separate words by blanks: a term in them is found as a whole word only, with the blank before it.
LETTER = "[0-9A-Za-zÀ-ɏͰ-ԯḀ-ỿ]"


@dataclass(frozen=True)
class Term:
    """A line of the user's file."""

    text: str
    where: str
    """File and line, for messages."""


def read_terms(path: Path) -> list[Term]:
    """The terms of a UTF-8 file, one on each line, every one once; lines that begin with # are comments.

    Raises UserError that names the first line which cannot be a token.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"tokenizer.words: {path} cannot be read ({error}); it must be UTF-8, a term a line") from None
    terms: dict[str, Term] = {}
    for number, line in enumerate(lines, 1):
        text, where = line.strip(), f"{path}, line {number}"
        if not text or text.startswith("#"):
            continue
        if not text.isprintable() or "\N{REPLACEMENT CHARACTER}" in text or BLANK_MARK in text:
            raise UserError(f"{where}: {text!r} holds a character that is no text; a line is one term")
        if len(text) > LONGEST:
            raise UserError(f"{where}: the term has {len(text)} characters; {LONGEST} are the most")
        terms.setdefault(text, Term(text, where))
    if not terms:
        raise UserError(
            f"tokenizer.words: {path} holds no terms; write one on each line, or set tokenizer.words to null"
        )
    return list(terms.values())


def add_words(tokenizer: Tokenizer, terms: Sequence[Term]) -> Tokenizer:
    """A copy of `tokenizer` that makes one token of every term in running text.

    Raises UserError for a term with which text would no longer come back from its tokens as it does from the base's.
    """
    base = base_vocabulary(tokenizer)
    cut_out = [term.text for term in terms if _stays_whole(tokenizer, term.text)]
    added = [term.text for term in terms if term.text not in set(cut_out)]
    builder = _Builder(base)
    alternatives = []
    for text in sorted(cut_out, key=lambda text: (-len(text), text)):
        written = _normalized(base, text)
        alternatives.append(_pattern(written, base))
        for variant in [written, *([_blank(base) + written] if re.match(LETTER, written) else [])]:
            builder.add(variant)
    extended = extend_tokenizer(tokenizer, builder.extension())
    if alternatives:
        split = pre_tokenizers.Split(Regex("|".join(alternatives)), "isolated")
        before = extended.pre_tokenizer
        # Before a byte-level pre-tokenizer, which leaves no characters to look for; behind one that marks blanks.
        steps = [split, before] if base.style == "byte-level" else [before, split]
        extended.pre_tokenizer = pre_tokenizers.Sequence([step for step in steps if step is not None])
    extended.add_tokens([AddedToken(text, normalized=False) for text in added])
    for term in terms:
        _check(tokenizer, extended, term)
    return extended


def _stays_whole(tokenizer: Tokenizer, text: str) -> bool:
    if tokenizer.pre_tokenizer is None:
        return True
    return all(
        len(tokenizer.pre_tokenizer.pre_tokenize_str(variant)) == 1
        for variant in [text, *([f" {text}"] if re.match(LETTER, text) else [])]
    )


def _normalized(base: BaseVocabulary, text: str) -> str:
    """The term as the pre-tokenizer finds it inside a text."""
    if base.tokenizer.normalizer is not None:
        text = base.tokenizer.normalizer.normalize_str(text)
    return text if base.style == "byte-level" else text.replace(" ", BLANK_MARK).removeprefix(BLANK_MARK)


def _blank(base: BaseVocabulary) -> str:
    return " " if base.style == "byte-level" else BLANK_MARK


def _pattern(text: str, base: BaseVocabulary) -> str:
    before = f"(?:{_blank(base)}|(?<!{LETTER}))" if re.match(LETTER, text) else ""
    after = f"(?!{LETTER})" if re.match(LETTER, text[-1]) else ""
    return before + re.escape(text) + after


def _check(base: Tokenizer, extended: Tokenizer, term: Term) -> None:
    text = f"前{term.text}后 {term.text} ，"
    one, two = (
        tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids, skip_special_tokens=False)
        for tokenizer in (base, extended)
    )
    if one != two:
        raise UserError(
            f"{term.where}: with the base tokenizer, text with the token {term.text!r} does not come back as it was; "
            "leave the term out"
        )


class _Builder:
    """Merges that put terms together, as few new tokens between as their order allows."""

    def __init__(self, base: BaseVocabulary) -> None:
        self._base = base
        model = json.loads(base.tokenizer.to_str())["model"]
        self._vocabulary = set(model["vocab"])
        pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
        self._ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        self._tokens: list[str] = []
        self._merges: list[Merge] = []

    def add(self, text: str) -> None:
        """Make one token of `text` where it stands alone."""
        symbols = list(text if self._base.style == "sentencepiece" else self._base.write(text.encode()))
        for symbol in symbols:
            self._know(symbol)
        symbols = self._merged(symbols)
        while len(symbols) > 1:
            place = self._next(symbols)
            left, right = symbols[place : place + 2]
            self._ranks[left, right] = len(self._ranks)
            self._merges.append(Merge(left, right))
            self._know(left + right)
            symbols = self._merged(symbols)

    def extension(self) -> Extension:
        return Extension(self._tokens, self._merges)

    def _know(self, symbol: str) -> None:
        if symbol not in self._vocabulary:
            self._vocabulary.add(symbol)
            self._tokens.append(symbol)

    def _next(self, symbols: Sequence[str]) -> int:
        """Where to merge: within a character if there is one in parts, since whole ones serve other words too."""
        if self._base.style == "byte-level":
            for place, symbol in enumerate(symbols[1:]):
                if 0x80 <= self._base.spell(symbol)[0] < 0xC0:
                    return place
        return 0

    def _merged(self, symbols: Sequence[str]) -> list[str]:
        """What all merges so far make of `symbols`, the oldest first."""
        symbols = list(symbols)
        while True:
            pairs = [self._ranks.get((left, right)) for left, right in pairwise(symbols)]
            known = [rank for rank in pairs if rank is not None]
            if not known:
                return symbols
            place = pairs.index(min(known))
            symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
