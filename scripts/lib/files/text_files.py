"""Text files, read in pieces: unpacked, decoded, never more than one bounded document in memory."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lib.core.errors import UserError
from lib.files import compression
from lib.files.decoding import Decoder
from lib.files.limits import EXCERPT_CHARACTERS, Collector, TooLong, utf8_length
from lib.files.spans import Span, lines_of_span
from lib.settings.corpus import ReadingLimits, ReadingSettings

T = TypeVar("T")


@dataclass
class Seen:
    """What reading found out about a file."""

    encoding: str = ""
    """Of a file with several documents, perhaps more than one name, separated by commas."""
    undecodable_bytes: int = 0
    """Bytes that stand for no character; each run of them is read as one U+FFFD."""
    sha256: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    """Entries that are no documents, by the reason."""

    def add_encoding(self, names: str) -> None:
        """Note the encoding of one of several documents, or those of several."""
        known = set(filter(None, [*self.encoding.split(", "), *names.split(", ")]))
        self.encoding = ", ".join(sorted(known))


@dataclass(frozen=True)
class Broken:
    """A record that cannot be read or is too long."""

    position: str
    """Where in the file: `line 3`, `record 5`."""
    reason: str
    text: str
    """Its first characters."""
    kind: str = "broken"
    """`broken`, `too long`, `no text` or, of instructions, `untrained`, for counts."""


@dataclass(frozen=True)
class TextFile:
    """A file that is read once, from front to back. The checksum of one that is read in parts stays empty."""

    path: Path
    seen: Seen
    settings: ReadingLimits
    encoding: str = ""
    """Its encoding by Python's name; guessed when empty."""
    span: Span | None = None
    """The part of it that is read; all when None."""

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, unpacked; of a part, the lines that begin there."""
        if self.span:
            return lines_of_span(self.path, self.span)
        return compression.unpacked_blocks(self.path, lambda sha256: setattr(self.seen, "sha256", sha256))

    def pieces(self) -> Iterator[str]:
        """Its text, unpacked and decoded."""
        decoder = Decoder(self.encoding)
        for block in self.blocks():
            yield decoder.decode(block)
        yield decoder.finish()
        self.seen.encoding = decoder.encoding
        self.seen.undecodable_bytes += decoder.undecodable_bytes

    def decoded(self, data: bytes, declared: str = "") -> str:
        """The text of one document out of it, in the encoding that is `declared` for it if that fits."""
        for encoding in ("utf-8-sig", declared) if declared and not self.encoding else ():
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            self.seen.add_encoding(encoding.removesuffix("-sig"))
            return text
        decoder = Decoder(self.encoding)
        text = decoder.decode(data) + decoder.finish()
        self.seen.add_encoding(decoder.encoding)
        self.seen.undecodable_bytes += decoder.undecodable_bytes
        return text

    def whole(self) -> str | TooLong:
        """All of its text."""
        collector = Collector(self.settings.maximum_document_bytes)
        for piece in self.pieces():
            collector.add(piece)
        return collector.take()

    def lines(self) -> Iterator[str | TooLong]:
        """Lines with their line breaks."""
        limit = self.settings.maximum_document_bytes
        collector = Collector(limit)
        for piece in self.pieces():
            first, *others = piece.split("\n")
            if others:
                collector.add(first + "\n")
                yield collector.take()
                *ended, first = others
                for line in ended:
                    if len(line) >= limit / 4:  # a character takes at most four bytes
                        collector.add(line + "\n")
                        yield collector.take()
                    else:
                        yield line + "\n"
            collector.add(first)
        last = collector.take()
        if last:
            yield last

    def too_long(self, position: str, document: TooLong) -> Broken:
        """What becomes of a document that exceeds the limit."""
        limit = self.settings.maximum_document_bytes
        reason = f"{document.bytes:,} bytes, more than corpus.maximum_document_bytes ({limit:,})"
        return Broken(position, reason, document.start, "too long")

    def checked(self, position: str, text: str) -> str | Broken:
        """`text`, unless it exceeds the limit."""
        if len(text) > self.settings.maximum_document_bytes / 4:
            length = utf8_length(text)
            if length > self.settings.maximum_document_bytes:
                return self.too_long(position, TooLong(text[:EXCERPT_CHARACTERS], length))
        return text


def stopping_at_broken(found: Iterator[T | Broken], path: Path, settings: ReadingSettings) -> Iterator[T | Broken]:
    """What was `found` in a file; UserError at the first broken record if the settings say so."""
    if settings.on_broken_record == "quarantine":
        return found

    def checked(one: T | Broken) -> T | Broken:
        if isinstance(one, Broken):
            raise UserError(
                f"{path}, {one.position}: {one.reason}; mend it, or set corpus.on_broken_record to quarantine"
            )
        return one

    return map(checked, found)
