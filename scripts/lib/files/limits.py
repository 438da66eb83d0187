"""Documents that are put together from pieces, with a limit to what is held in memory."""

from dataclasses import dataclass

EXCERPT_CHARACTERS = 1_000
"""What is kept of a document that cannot be used."""


@dataclass(frozen=True)
class TooLong:
    """A document that exceeds the limit; it has been read to its end, but not kept."""

    start: str
    bytes: int
    """Its length in UTF-8."""


class Collector:
    """Pieces of one document after another."""

    def __init__(self, maximum_bytes: int) -> None:
        self._maximum = maximum_bytes
        self._pieces: list[str] = []
        self._bytes = 0

    def add(self, piece: str) -> None:
        """Append to the current document."""
        if not piece:
            return
        before = self._bytes
        self._bytes += utf8_length(piece)
        if self._bytes <= self._maximum:
            self._pieces.append(piece)
        elif before <= self._maximum:
            self._pieces = ["".join([*self._pieces, piece[:EXCERPT_CHARACTERS]])[:EXCERPT_CHARACTERS]]

    def is_blank(self) -> bool:
        """Whether the current document has nothing but white space in it."""
        return not any(piece.strip() for piece in self._pieces)

    def take(self) -> str | TooLong:
        """The current document; the next one begins."""
        pieces, length = self._pieces, self._bytes
        self._pieces, self._bytes = [], 0
        text = "".join(pieces)
        return TooLong(text, length) if length > self._maximum else text


def utf8_length(text: str) -> int:
    """Bytes that `text` takes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
