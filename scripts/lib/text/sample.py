"""A sample of text in pieces of bounded length, the same whatever the order of documents and the number of shards."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from lib.text.hashes import checksum

SHORTEST_TAIL = 50  # characters; what is left of a document at its end is left out when it is shorter than this


@dataclass(frozen=True)
class Piece:
    """A stretch of a document, taken by itself."""

    source: str
    text: str
    document: str = ""
    """What the pieces of one document have in common, and no others: a checksum of its text."""


def cut_document(text: str, characters: int) -> list[str]:
    """`text` in pieces of at most `characters` characters, after the last paragraph end in a piece's second half.

    The pieces joined are the text, but for a last one of fewer than `SHORTEST_TAIL` characters behind others.
    """
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = start + characters
        if end < len(text):
            end = text.rfind("\n", start + characters // 2, end) + 1 or end
        pieces.append(text[start:end])
        start = end
    if len(pieces) > 1 and len(pieces[-1]) < SHORTEST_TAIL:
        pieces.pop()
    return [piece for piece in pieces if piece.strip()]


def sample_pieces(texts: Iterable[tuple[str, str]], characters: int, max_characters: int) -> list[Piece]:
    """Pieces of the `texts` ((source, text) pairs) that hold at most `max_characters` characters together.

    Every source gives the same share (at least one piece), or all that it has when that is less. A source's pieces
    are those whose checksum is lowest, so they come from all over it, and neither the order of the documents nor the
    number of shards changes them. Memory is bounded by `max_characters` for each source.
    """
    kept: dict[str, LowestChecksums] = {}
    for source, text in texts:
        sample = kept.setdefault(source, LowestChecksums(max_characters))
        document = f"{checksum(text):016x}"
        for piece in cut_document(text, characters):
            sample.add(piece, document)
    pieces: list[Piece] = []
    left = max_characters
    # The sources with the least text come first, so that what they cannot give falls to the others.
    for number, (source, sample) in enumerate(sorted(kept.items(), key=lambda item: (item[1].weight, item[0]))):
        chosen = sample.up_to(left // (len(kept) - number))
        left -= sum(len(text) for text, _ in chosen)
        pieces += (Piece(source, text, document) for text, document in chosen)
    return pieces


class LowestChecksums:
    """The texts with the lowest checksums among those added, as many as `limit` characters hold (and one more).

    Each has the document that it is from.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.weight = 0
        self._heap: list[tuple[int, str, str]] = []  # (negative checksum, text, document): highest checksum on top

    def add(self, text: str, document: str) -> None:
        heapq.heappush(self._heap, (-checksum(text), text, document))
        self.weight += len(text)
        while self.weight - len(self._heap[0][1]) >= self.limit:
            self.weight -= len(heapq.heappop(self._heap)[1])

    def up_to(self, characters: int) -> list[tuple[str, str]]:
        """(text, document) in the order of the checksums, each that still fits into `characters`; at least one."""
        chosen: list[tuple[str, str]] = []
        used = 0
        for _, text, document in sorted(self._heap, reverse=True):
            if not chosen or used + len(text) <= characters:
                chosen.append((text, document))
                used += len(text)
        return chosen
