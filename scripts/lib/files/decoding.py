"""Bytes to text when nobody says in which encoding they are.

A byte order mark decides; otherwise UTF-16 where the bytes can hardly be anything else, UTF-8 where it fits, then what
the file declares (`<meta charset>`, XML, a PO file's header) where that fits, else what chardet finds. What stands for
no character in the chosen encoding is counted and becomes U+FFFD.

chardet guesses better than the shares of frequent characters that were compared here before: of 1,247 samples of 40 to
3,000 characters in 19 combinations of language and encoding it told 1,230, the former code the 238 that are Chinese. It
does not know Chinese in UTF-16 without a mark, so that is found here.
"""

import codecs
import os
import re
from functools import cache

from lib.core.errors import UserError

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
TOLERATED = 0.1
"""Share of the bytes above ASCII that may be undecodable in an encoding that is still believed."""
SAMPLE_BYTES = 1 << 17
"""Most bytes that the choice is made by, from the first one above ASCII on."""
FREQUENT = frozenset(
    # The most frequent characters of modern and classical Chinese, simplified and traditional.
    "的一是不了在人有我他这这個个们们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经"
    "么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正"
    "业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提"
    "立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许"
    "這們來為國說時會對於著過發後裡種經麼學現當沒動還進樣開從實軍無與長機關點業將兩間問並應戰頭體見產話內給門兒東聲員論處義幾認條氣題爾別變"
    "總電數報結務場計許曰兮乃矣焉哉吾汝爾卿帝王侯臣兵馬马城夫故若豈岂且莫復复春秋風风雲云花江夜酒詩诗書书"
)

DECLARATION_BYTES = 1 << 11
"""How far into a file its declaration of an encoding is looked for."""
FEW_BYTES = 8
"""Bytes above ASCII below which an 8-bit encoding cannot be told from another."""
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_UTF16 = ("utf-16-le", "utf-16-be")
_DECLARATION = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?([\w:.-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w:.-]+)"""
    rb"""|^"?Content-Type:[^\n]+charset\s*=\s*([\w:.-]+)""",
    re.IGNORECASE | re.MULTILINE,
)
# What browsers read under these names (WHATWG Encoding Standard), where Python is narrower.
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "big5": "big5hkscs",
}
_MANY_BYTES = ("gb18030", "big5hkscs", "cp950", "cp932", "cp949", "euc", "iso2022", "shift_jis", "johab")
_ABOVE_ASCII = re.compile(rb"[\x80-\xff]")
_HAN = re.compile("[\u3400-\u9fff]")
# What text consists of in any alphabet that UTF-16 without a mark is expected in.
_ORDINARY = re.compile("[\t\n\r -~\u00a0-\u024f\u2010-\u2026\u3000-\u30ff\u4e00-\u9fff\uff00-\uff5e]")

# Each undecodable byte becomes a lone surrogate, which no decoder makes out of good bytes; so they can be counted.
_MARKS = re.compile("[\udc00-\udcff]+")
_ERRORS = "mark_undecodable"


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _mark)


def valid_text(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate. JSON can spell them (`"\\ud800"`), but they are no characters."""
    return text if text.isascii() else LONE_SURROGATE.sub("\ufffd", text)


class Decoder:
    """Decodes one file, block by block. The first block with anything but ASCII in it decides on the encoding."""

    def __init__(self, encoding: str = "") -> None:
        """With an `encoding` that is known, nothing is guessed."""
        self.encoding = "ascii"
        """Name of the encoding, as far as is known."""
        self.undecodable_bytes = 0
        """Bytes that stood for no character, so far."""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._head = b""
        self._is_start = True
        if encoding:
            self._begin(encoding)

    def decode(self, block: bytes) -> str:
        """Text of the next block."""
        if self._decoder is None:
            self._head += block[: DECLARATION_BYTES - len(self._head)]
            if block.isascii() and not (self._is_start and _zeros_at(block)):
                self._is_start = self._is_start and not block
                return block.decode("ascii")
            self._begin(guess_encoding(block, self._is_start, self._head))
        assert self._decoder
        return self._counted(self._decoder.decode(block))

    def finish(self) -> str:
        """What is left after the last block: a character that was cut off."""
        return self._counted(self._decoder.decode(b"", final=True)) if self._decoder else ""

    def _begin(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(_ERRORS)

    def _counted(self, text: str) -> str:
        if text.isascii():
            return text
        self.undecodable_bytes += sum(len(marks) for marks in _MARKS.findall(text))
        return _MARKS.sub("\ufffd", text)


def guess_encoding(block: bytes, is_start: bool = True, head: bytes | None = None) -> str:
    """The encoding of a block that is not ASCII alone, in a file that begins with `head` (the block when not given).

    Marks and UTF-16 are looked for at the start of a file only.
    """
    if is_start:
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if block.startswith(mark):
                return encoding
        if encoding := _zeros_at(block):
            return encoding
    first = _ABOVE_ASCII.search(block)
    sample = block[first.start() if first else 0 :][:SAMPLE_BYTES]
    above_ascii = _above_ascii(sample)
    tolerated = TOLERATED * above_ascii
    if _undecodable(sample, "utf-8") <= tolerated:
        return "utf-8"
    if is_start and (found := [encoding for encoding in _UTF16 if _is_ordinary(block[:SAMPLE_BYTES], encoding)]):
        return found[0]
    declared = declared_encoding(block[:DECLARATION_BYTES] if head is None else head)
    for encoding in filter(None, (declared, _found_by_chardet(sample, above_ascii))):
        if encoding == "big5hkscs" and _undecodable(sample, "cp950") <= _undecodable(sample, encoding):
            encoding = "cp950"
        if _undecodable(sample, encoding) <= tolerated:
            return encoding
    return "utf-8"


def declared_encoding(head: bytes) -> str | None:
    """The encoding that a page, an XML or a PO file declares for itself, by Python's name; None for none known."""
    found = _DECLARATION.search(head)
    return known_encoding(next(filter(None, found.groups())).decode("ascii")) if found else None


@cache
def known_encoding(name: str) -> str | None:
    """Python's name of the text encoding `name`, or of the wider one that browsers read; None for an unknown one.

    UTF-16 and UTF-7 are none: what is declared in ASCII is not written in them.
    """
    try:
        "".encode(name)  # refuses codecs that are no text encodings
        known = codecs.lookup(name).name
    except LookupError:
        return None
    return None if known.startswith(("utf-16", "utf-7", "utf-32")) else _WIDER.get(known, known)


def chosen_encoding(name: str) -> str:
    """Python's name of the encoding `name` that a user gives for a file, or of a wider one; UserError if unknown."""
    try:
        "".encode(name)
    except LookupError:
        raise UserError(f"unknown encoding {name!r}; known are utf-8, gb18030, big5, shift_jis and others") from None
    known = known_encoding(name) or codecs.lookup(name).name
    return "utf-8-sig" if known == "utf-8" else known  # which reads files with and without a byte order mark


def readable_name(name: str | bytes) -> str:
    """The name of a file, whose bytes may be in another encoding than UTF-8, as Windows archives have them."""
    data = os.fsencode(name) if isinstance(name, str) else name
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("cp437")


def _found_by_chardet(sample: bytes, above_ascii: int) -> str | None:
    import chardet  # 0.06 s, and most text is UTF-8
    from chardet.enums import EncodingEra

    candidates = EncodingEra.MODERN_WEB | EncodingEra.LEGACY_REGIONAL | EncodingEra.LEGACY_ISO
    found = chardet.detect(sample, prefer_superset=True, compat_names=False, encoding_era=candidates)["encoding"]
    if found is None or (above_ascii < FEW_BYTES and not found.startswith(_MANY_BYTES)):
        return None
    return found


def _zeros_at(block: bytes) -> str:
    """The UTF-16 that puts zeros where this block has many of them; "" for none. For text with much ASCII in it."""
    sample = block[:SAMPLE_BYTES]
    if sample.count(0) < len(sample) / 5:
        return ""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if min(even, odd) > max(even, odd) / 20:
        return ""
    return _UTF16[odd < even]


def _above_ascii(sample: bytes) -> int:
    return len(sample) - len(sample.translate(None, bytes(range(0x80, 0x100))))


def _undecodable(block: bytes, encoding: str) -> int:
    """Number of bytes in `block` that stand for no character; one that the block's end cuts off does not count."""
    text = codecs.getincrementaldecoder(encoding)(_ERRORS).decode(block)
    return sum(len(marks) for marks in _MARKS.findall(text))


def _is_ordinary(sample: bytes, encoding: str) -> bool:
    """Whether `sample`, read as UTF-16, is nearly all Chinese, Japanese or Latin."""
    text = codecs.getincrementaldecoder(encoding)(_ERRORS).decode(sample)
    return len(text) > 3 and len(_ORDINARY.findall(text)) >= 0.95 * len(text) and _share_of_frequent_in(text) > 0.1


def _share_of_frequent_in(text: str) -> float:
    """Share of the Chinese characters that are among the most frequent ones."""
    characters = _HAN.findall(text)
    return sum(character in FREQUENT for character in characters) / max(len(characters), 1)
