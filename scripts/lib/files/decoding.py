"""Bytes to text when nobody says in which encoding they are.

A byte order mark decides; otherwise UTF-16 where the bytes can hardly be anything else, UTF-8 where it fits, then
GB18030 (which includes GBK and GB2312) or Big5, else UTF-8. Nearly all of Big5 is valid GB18030 and the other way
round, but the wrong one of the two gives rare characters: the one with more of the frequent characters wins.
What stands for no character in the chosen encoding is counted and becomes U+FFFD.
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

_UTF16 = ("utf-16-le", "utf-16-be")
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
            if block.isascii() and not (self._is_start and _zeros_at(block)):
                self._is_start = self._is_start and not block
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
    """The encoding of a block that is not ASCII alone. Marks and UTF-16 are looked for at the start of a file only."""
    if is_start:
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if block.startswith(mark):
                return encoding
        if encoding := _zeros_at(block):
            return encoding
    first = _ABOVE_ASCII.search(block)
    sample = block[first.start() if first else 0 :][:SAMPLE_BYTES]
    tolerated = TOLERATED * _above_ascii(sample)
    if _undecodable(sample, "utf-8") <= tolerated:
        return "utf-8"
    if is_start and (found := [encoding for encoding in _UTF16 if _is_ordinary(block[:SAMPLE_BYTES], encoding)]):
        return found[0]
    fitting = [
        encoding for encoding in ("gb18030", "cp950", "big5hkscs") if _undecodable(sample, encoding) <= tolerated
    ]
    # Of equals, the first one counts.
    return max(fitting, key=lambda encoding: _share_of_frequent(sample, encoding), default="utf-8")


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


def _share_of_frequent(sample: bytes, encoding: str) -> float:
    return _share_of_frequent_in(codecs.getincrementaldecoder(encoding)("ignore").decode(sample))


def _share_of_frequent_in(text: str) -> float:
    """Share of the Chinese characters that are among the most frequent ones."""
    characters = _HAN.findall(text)
    return sum(character in FREQUENT for character in characters) / max(len(characters), 1)
