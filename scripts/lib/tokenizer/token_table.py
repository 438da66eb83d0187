"""Traits of all tokens as arrays, to judge many pairs of them at once.

Symbols are what merges are learned over: token ids of the base; a mark for the end of a run; for SentencePiece, every
character that the base can only spell in bytes; and the tokens that are new.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lib.tokenizer.base_vocabulary import BaseVocabulary
from lib.tokenizer.token_rules import (
    BLANK,
    FIRST_LETTER,
    FRAGMENT,
    NEVER,
    PUNCTUATION,
    Limits,
    latin_characters,
    traits,
)

CODE_POINTS = 0x110000

Symbols = NDArray[np.int32]
Mask = NDArray[np.bool_]


class TokenTraits:
    """Traits by symbol (`lib.tokenizer.token_rules.Traits`), and the rule of which two symbols may be merged."""

    def __init__(self, base: BaseVocabulary, limits: Limits) -> None:
        self.limits = limits
        self.end_of_run = max(base.tokenizer.get_vocab().values()) + 1
        self._first_character = self.end_of_run + 1
        self.first_new = self._first_character + (CODE_POINTS if base.style == "sentencepiece" else 0)
        self._size = self.first_new
        self.spelling = dict(base.spelling)
        self.kind = np.zeros(self._size, dtype=np.int16)
        self.length = np.zeros(self._size, dtype=np.int32)
        self.starts_whole = np.ones(self._size, dtype=bool)
        self.led = np.zeros(self._size, dtype=bool)
        for token_id, spelling in base.spelling.items():
            self._set(token_id, spelling)
        self._byte = np.full(self._first_character, -1, dtype=np.int16)
        for token_id, byte in base.byte_tokens.items():
            self._byte[token_id] = byte
        self.forbidden = _pairs_in_latin(base) if limits.keep_latin and base.style == "byte-level" else set()
        """Pairs that stand within Latin characters, which are left as they are."""

    def add(self, spelling: bytes) -> int:
        """A new symbol for the token that stands for `spelling`."""
        symbol = self._size
        self._size += 1
        if symbol == len(self.kind):
            for name in ("kind", "length", "starts_whole", "led"):
                array = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros(50_000, dtype=array.dtype)]))
        self._set(symbol, spelling)
        return symbol

    def is_character(self, symbols: Symbols) -> Mask:
        """Which symbols are characters that the base spells in bytes."""
        return (symbols >= self._first_character) & (symbols < self.first_new)

    def with_characters(self, symbols: Symbols) -> tuple[Symbols, Mask]:
        """`symbols` with one symbol for every character that is spelled in byte tokens, and which places are left."""
        byte = self._byte[symbols]
        leads = np.flatnonzero(byte >= 0xC0)
        kept = (byte < 0x80) | (byte >= 0xC0)
        if not len(leads):
            return symbols, kept
        size = 2 + (byte[leads] >= 0xE0) + (byte[leads] >= 0xF0)
        code = byte[leads].astype(np.int32) & (0x7F >> size)
        for place in range(1, 4):
            more = size > place
            code[more] = code[more] << 6 | (byte[leads[more] + place] & 0x3F)
        symbols = symbols.copy()
        symbols[leads] = self._first_character + code
        for value in np.unique(symbols[leads]).tolist():
            if value not in self.spelling:
                self._set(value, chr(value - self._first_character).encode())
        return symbols[kept], kept

    def may_stand_together(self, symbols: Symbols) -> Mask:
        """For each symbol but the last, whether a token could ever hold it and the next one."""
        left, right = symbols[:-1], symbols[1:]
        possible = (self.kind[left] != NEVER) & (self.kind[right] != NEVER)
        fragments = (self.kind[left] == FRAGMENT) | (self.kind[right] == FRAGMENT)
        together: Mask = possible & (
            ~self.starts_whole[right] | ((fragments | self._alike(left, right)) & ~self.led[right])
        )
        return together

    def may_merge(self, left: Symbols, right: Symbols, maximum_length: int) -> Mask:
        """Which pairs of symbols may become one token."""
        within = (
            ~self.starts_whole[right]
            & (self.kind[left] == FRAGMENT)
            & (self.kind[right] == FRAGMENT)
            # A character grows from its first byte: its later bytes alone could belong to any other.
            & self.starts_whole[left]
        )
        whole = self._alike(left, right) & ~self.led[right]
        allowed: Mask = (within | whole) & (self.length[left] + self.length[right] <= maximum_length)
        return allowed

    def _alike(self, left: Symbols, right: Symbols) -> Mask:
        """Which pairs, whole characters all, go together: two of one kind, or a blank or a mark and letters."""
        same = (self.kind[left] == self.kind[right]) & (self.kind[left] >= PUNCTUATION)
        leads = self.kind[left] == BLANK
        if self.limits.leading_marks:
            leads |= (self.kind[left] == PUNCTUATION) & (self.length[left] == 1)
        alike: Mask = same | (leads & (self.kind[right] >= FIRST_LETTER))
        return alike

    def _set(self, symbol: int, spelling: bytes) -> None:
        found = traits(spelling, self.limits)
        self.spelling[symbol] = spelling
        self.kind[symbol] = found.kind
        self.length[symbol] = found.length
        self.starts_whole[symbol] = found.starts_whole
        self.led[symbol] = found.led


def _pairs_in_latin(base: BaseVocabulary) -> set[tuple[int, int]]:
    """Neighbours among the tokens of every Latin character that the base spells in several."""
    pairs: set[tuple[int, int]] = set()
    for character in latin_characters():
        for text in (character, f" {character}"):
            pairs.update(pairwise(token.id for token in base.tokenizer.model.tokenize(base.write(text.encode()))))
    return pairs
