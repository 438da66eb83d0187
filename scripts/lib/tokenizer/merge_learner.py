"""Byte pair encoding learned from counted runs: the most frequent pair of neighbours first (Sennrich et al. 2016).

All runs lie one behind the other in arrays, as a linked list. Where a pair stands is known from the moment that its
younger half is made, since no other merge can make it later; so each pair has one array of places, out of which
places only ever fall. Counts are upper bounds until a pair comes up, and are then taken again from its places.

The trainer of `tokenizers` knows no limits to what a token may hold. Without them it reaches 1.430 characters per token
of held-out Chinese with 8,000 new tokens, this 1.424 with them (docs/benchmarks.md).
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.tokenizer.token_rules import FRAGMENT, NEVER, traits
from lib.tokenizer.token_table import Mask, Symbols, TokenTraits

GONE = -1
SHIFT = 32

Places = NDArray[np.int32]


@dataclass(frozen=True)
class Candidate:
    """The best thing to do next."""

    left: int
    right: int | None
    """None: the character `left`, which so far is spelled in bytes, becomes a token."""
    saved: int
    """Tokens fewer in the text."""
    spelling: bytes
    whole: bool
    """It holds whole characters only."""
    known: int | None
    """The symbol that stands for these bytes already; merging then adds no token."""

    @property
    def occurrences(self) -> int:
        """Times that the token stands in the text, before longer ones take its place."""
        return self.saved if self.right is not None else self.saved // (len(self.spelling) - 1)


class MergeLearner:
    """Gives one candidate after the other; whoever asks takes it or leaves it."""

    def __init__(
        self, runs: Mapping[bytes, int], token_traits: TokenTraits, minimum_frequency: int, maximum_length: int
    ) -> None:
        self._traits = token_traits
        self._minimum = minimum_frequency
        self._maximum_length = maximum_length
        of_base = token_traits.end_of_run
        self._known = {spelling: symbol for symbol, spelling in token_traits.spelling.items() if symbol < of_base}
        self._places: dict[int, Places] = {}
        self._heap: list[tuple[int, int]] = []
        self._found: Places = np.empty(0, dtype=np.int32)
        self._load(runs)
        self._waiting = np.zeros(token_traits.first_new, dtype=bool)
        self._add_characters()
        self._add_pairs(np.arange(len(self._symbols) - 1, dtype=np.int32))

    def best(self) -> Candidate | None:
        """The candidate that saves most tokens; among equals, the one of the oldest symbols. None: nothing is left."""
        while self._heap:
            bound, key = heapq.heappop(self._heap)
            left, right = key >> SHIFT, key & ((1 << SHIFT) - 1)
            if right == self._traits.end_of_run:
                return Candidate(left, None, -bound, self._traits.spelling[left], True, None)
            if key not in self._places:
                continue
            spelling = self._traits.spelling[left] + self._traits.spelling[right]
            known = self._known.get(spelling)
            if (left, right) in self._traits.forbidden:
                del self._places[key]
                continue
            self._found = self._still_there(self._places[key], left, right)
            saved = int(self._weight[self._found].sum(dtype=np.int64))
            if saved < self._minimum:
                del self._places[key]
            elif self._heap and (-saved, key) > self._heap[0]:
                self._places[key] = self._found
                heapq.heappush(self._heap, (-saved, key))
            else:
                del self._places[key]
                kind = traits(spelling, self._traits.limits).kind
                if kind != NEVER:
                    return Candidate(left, right, saved, spelling, kind != FRAGMENT, known)
        return None

    def take(self, candidate: Candidate) -> int:
        """Do what the last answer of `best` says; returns the symbol that it makes."""
        if candidate.right is None:
            self._waiting[candidate.left] = False
            self._known[candidate.spelling] = candidate.left
            places = np.flatnonzero(self._symbols == candidate.left).astype(np.int32)
            self._add_pairs(self._around(places, candidate.left))
            return candidate.left
        made = candidate.known if candidate.known is not None else self._traits.add(candidate.spelling)
        self._known[candidate.spelling] = made
        first = self._found
        second = self._next[first]
        self._symbols[first] = made
        self._symbols[second] = GONE
        after = self._next[second]
        self._next[first] = after
        self._previous[after] = first
        self._add_pairs(self._around(first, made))
        return made

    def _load(self, runs: Mapping[bytes, int]) -> None:
        """Lay out all runs, in an order that depends on them alone, with a mark between any two."""
        ordered = sorted(runs)
        end = np.array([self._traits.end_of_run], dtype=np.int32).tobytes()
        self._symbols = np.frombuffer(end + b"".join(run + end for run in ordered), dtype=np.int32).copy()
        sizes = np.array([len(run) // 4 + 1 for run in ordered], dtype=np.int64)
        weights = np.array([runs[run] for run in ordered], dtype=np.int64)
        self._weight = np.concatenate([np.zeros(1, dtype=np.int64), np.repeat(weights, sizes)])
        if len(self._weight) and self._weight.max() < 2**31:
            self._weight = self._weight.astype(np.int32)
        self._next = np.arange(1, len(self._symbols) + 1, dtype=np.int32)
        self._previous = np.arange(-1, len(self._symbols) - 1, dtype=np.int32)

    def _add_characters(self) -> None:
        """Offer every character that the base spells in bytes: as one token, it saves all bytes but one."""
        places = np.flatnonzero(self._traits.is_character(self._symbols))
        symbols, inverse = np.unique(self._symbols[places], return_inverse=True)
        self._waiting[symbols] = True
        counts = np.zeros(len(symbols), dtype=np.int64)
        np.add.at(counts, inverse, self._weight[places])
        for symbol, count in zip(symbols.tolist(), counts.tolist(), strict=True):
            if count >= self._minimum:
                saved = count * (len(self._traits.spelling[symbol]) - 1)
                heapq.heappush(self._heap, (-saved, symbol << SHIFT | self._traits.end_of_run))

    def _around(self, places: Places, made: int) -> Places:
        """Where pairs with the symbol `made`, which stands at `places`, begin."""
        before = self._previous[places]
        return np.concatenate([before[self._symbols[before] != made], places])

    def _add_pairs(self, places: Places) -> None:
        """Offer the pairs that begin at `places`, as far as they may become tokens and are frequent enough."""
        left, right = self._symbols[places], self._symbols[self._next[places]]
        allowed = self._usable(left) & self._usable(right)
        places, left, right = places[allowed], left[allowed], right[allowed]
        allowed = self._traits.may_merge(left, right, self._maximum_length)
        places = places[allowed]
        keys = left[allowed].astype(np.int64) << SHIFT | right[allowed]
        order = np.argsort(keys, kind="stable")
        keys, places = keys[order], places[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        if not len(starts):
            return
        counts = np.add.reduceat(self._weight[places], starts, dtype=np.int64)
        ends = np.append(starts[1:], len(keys))
        frequent = counts >= self._minimum
        for key, count, start, end in zip(
            keys[starts[frequent]].tolist(),
            counts[frequent].tolist(),
            starts[frequent].tolist(),
            ends[frequent].tolist(),
            strict=True,
        ):
            found = places[start:end]
            if key in self._places:  # a token that is made in two ways finds the same neighbours again
                found = np.union1d(self._places[key], found)
                count = int(self._weight[found].sum(dtype=np.int64))
            self._places[key] = found
            heapq.heappush(self._heap, (-count, key))

    def _usable(self, symbols: Symbols) -> Mask:
        waiting = np.zeros(len(symbols), dtype=bool)
        old = symbols < len(self._waiting)
        waiting[old] = self._waiting[symbols[old]]
        usable: Mask = ~waiting & (symbols != GONE)
        return usable

    def _still_there(self, places: Places, left: int, right: int) -> Places:
        places = places[self._symbols[places] == left]
        places = places[self._symbols[self._next[places]] == right]
        return _every_other(np.sort(places), self._next) if left == right else places


def _every_other(places: Places, following: NDArray[np.int32]) -> Places:
    """Of pairs of equal symbols, those that are merged from left to right: in a row of them, every second."""
    chained = np.zeros(len(places), dtype=bool)
    chained[1:] = following[places[:-1]] == places[1:]
    index = np.arange(len(places))
    start = np.maximum.accumulate(np.where(chained, 0, index))
    chosen: Places = places[(index - start) % 2 == 0]
    return chosen
