"""Bytes to text when nobody says in which encoding they are.

A byte order mark decides; otherwise UTF-8 where it fits, GB18030 (which includes GBK and GB2312) where that fits,
else UTF-8. What stands for no character in the chosen encoding is counted and becomes U+FFFD.
"""

import codecs
import re

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
TOLERATED = 0.1
"""Share of the bytes above ASCII that may be undecodable in an encoding that is still believed."""

# Each undecodable byte becomes a lone surrogate, which no decoder makes out of good bytes; so they can be counted.
_MARKS = re.compile("[\udc00-\udcff]+")
_ERRORS = "mark_undecodable"


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _mark)


class Decoder:
    """Decodes one file, block by block. The first block with anything but ASCII in it decides on the encoding."""

    def __init__(self) -> None:
        self.encoding = "ascii"
        """Name of the encoding, as far as is known."""
        self.undecodable_bytes = 0
        """Bytes that stood for no character, so far."""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_start = True

    def decode(self, block: bytes) -> str:
        """Text of the next block."""
        if self._decoder is None:
            if block.isascii():
                self._is_start = False
                return block.decode("ascii")
            self.encoding = guess_encoding(block, self._is_start)
            self._decoder = codecs.getincrementaldecoder(self.encoding)(_ERRORS)
        return self._counted(self._decoder.decode(block))

    def finish(self) -> str:
        """What is left after the last block: a character that was cut off."""
        return self._counted(self._decoder.decode(b"", final=True)) if self._decoder else ""

    def _counted(self, text: str) -> str:
        if text.isascii():
            return text
        self.undecodable_bytes += sum(len(marks) for marks in _MARKS.findall(text))
        return _MARKS.sub("\ufffd", text)


def guess_encoding(block: bytes, is_start: bool = True) -> str:
    """The encoding of a block that is not ASCII alone; a byte order mark counts at the start of a file only."""
    if is_start:
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if block.startswith(mark):
                return encoding
    tolerated = TOLERATED * sum(byte >= 0x80 for byte in block)
    for encoding in ("utf-8", "gb18030"):
        if _undecodable(block, encoding) <= tolerated:
            return encoding
    return "utf-8"


def _undecodable(block: bytes, encoding: str) -> int:
    """Number of bytes in `block` that stand for no character; one that the block's end cuts off does not count."""
    text = codecs.getincrementaldecoder(encoding)(_ERRORS).decode(block)
    return sum(len(marks) for marks in _MARKS.findall(text))
