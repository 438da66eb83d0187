"""Counting what can be merged: runs of tokens that the base vocabulary makes of the text.

A run ends where the pre-tokenizer cuts and where no token may go on (`token_rules`): at line breaks, Latin text,
digits, changes of script. So text without spaces, which many pre-tokenizers leave whole, comes in clauses.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from lib.corpus.cleaning.personal_data import KINDS
from lib.tokenizer.base_vocabulary import BaseVocabulary
from lib.tokenizer.token_rules import NEVER
from lib.tokenizer.token_table import Mask, Symbols, TokenTraits

MAXIMUM_TOKENS = 24_000_000
"""Most tokens in distinct runs that are held, at about 60 bytes each until the merges are learned."""

PLACEHOLDERS = re.compile("|".join(re.escape(kind.placeholder) for kind in KINDS))
LEVELS = 65


class RunCounter:
    """Counts distinct runs, in memory that is bounded, with a result that no order of the texts changes.

    Each text has a level: the leading zero bits of a hash of it, so that half of all texts have level 0, a quarter
    level 1, and so on. Runs are counted by level. When they grow beyond the limit, the lowest level is given up, and
    its texts are no longer counted. What is left in the end depends on the set of texts alone: the lowest level from
    which on everything fits.
    """

    def __init__(self, base: BaseVocabulary, token_traits: TokenTraits, limit: int = MAXIMUM_TOKENS) -> None:
        self._base = base
        self._traits = token_traits
        self._limit = limit
        self._levels: list[Counter[bytes]] = [Counter() for _ in range(LEVELS)]
        self._held = [0] * LEVELS
        self._lowest = 0
        self._tokens = [0] * LEVELS
        self._characters = [0] * LEVELS

    @property
    def share(self) -> float:
        """Expected share of the texts that is counted."""
        return 0.5**self._lowest

    @property
    def tokens(self) -> int:
        """Base tokens in the texts that are counted."""
        return sum(self._tokens[self._lowest :])

    @property
    def characters(self) -> int:
        """Characters in the texts that are counted."""
        return sum(self._characters[self._lowest :])

    def add(self, texts: Iterable[str]) -> None:
        """Count some texts, as many as may be held in memory with their tokens."""
        by_level: dict[int, list[str]] = {}
        for text in texts:
            level = _level(text)
            if level >= self._lowest:
                by_level.setdefault(level, []).append(text)
        for level, members in sorted(by_level.items()):
            if level >= self._lowest:
                self._count(level, members)
                self._give_up()

    def counts(self) -> Counter[bytes]:
        """How often each run stands in the text; a run as the bytes of an int32 array of symbols (`TokenTraits`)."""
        total: Counter[bytes] = Counter()
        for level in self._levels[self._lowest :]:
            total.update(level)
        return total

    def _count(self, level: int, texts: list[str]) -> None:
        counter = self._levels[level]
        encodings = self._base.tokenizer.encode_batch(
            [PLACEHOLDERS.sub("\n", text) for text in texts], add_special_tokens=False
        )
        self._characters[level] += sum(map(len, texts))
        for encoding in encodings:
            symbols = np.array(encoding.ids, dtype=np.int32)
            self._tokens[level] += len(symbols)
            # Added tokens belong to no word; they take part in no merge either.
            words = np.array([-1 if word is None else word for word in encoding.word_ids], dtype=np.int64)
            symbols, kept = self._traits.with_characters(symbols)
            joined = self._traits.may_stand_together(symbols) & (np.diff(words[kept]) == 0)
            for run in self._runs(symbols, joined):
                counter[run] += 1
                if counter[run] == 1:
                    self._held[level] += len(run) // symbols.itemsize

    def _runs(self, symbols: Symbols, joined: Mask) -> list[bytes]:
        """The runs that something can be learned from: of two symbols or more, or of a character without a token.

        `joined[i]` says whether symbols i and i + 1 belong together.
        """
        starts = np.flatnonzero(np.concatenate([[True], ~joined])[: len(symbols)])
        ends = np.append(starts[1:], len(symbols))
        first = symbols[starts]
        lone = self._traits.is_character(first) & (self._traits.kind[first] != NEVER)
        useful = (ends - starts > 1) | lone
        buffer, size = symbols.tobytes(), symbols.itemsize
        return [
            buffer[start * size : end * size]
            for start, end in zip(starts[useful].tolist(), ends[useful].tolist(), strict=True)
        ]

    def _give_up(self) -> None:
        while sum(self._held[self._lowest :]) > self._limit and self._lowest < LEVELS - 1:
            self._levels[self._lowest] = Counter()
            self._lowest += 1


def _level(text: str) -> int:
    """Leading zero bits of a 64-bit hash of `text`."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return 64 - int.from_bytes(digest, "big").bit_length()
