"""Long documents in parts, at their chapters where they have any.

A source of a few long documents, a novel say, could otherwise be held out or trained on only as a whole. Where a
document is divided depends on its text alone.
"""

import re
from collections.abc import Iterator

from lib.corpus.extraction.page_tree import is_page

MINIMUM_PART = 1_000
"""Minimum length of a part in characters, unless the document has none as long: shorter chapters are joined."""
_NUMBER = "[0-9０-９〇零一二三四五六七八九十百千两]"
_WORDS = "(?i:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_HEADING = re.compile(
    rf"""
    ^(?:
      (?<!\S\n)\#{{1,3}}[^\S\n]+[^\n]{{1,80}}  # behind an empty line: elsewhere, a command or a comment
    | [^\S\n]*(?:
        (?:正文[^\S\n]*)?第[^\S\n]*{_NUMBER}{{1,9}}[^\S\n]*[回章卷节節部篇集幕折话話][^。！？；\n]{{0,40}}
      | (?:序章|楔子|引子|尾声|尾聲|番外|后记|後記)[^。！？；，\n]{{0,20}}
      | (?i:chapter|book|part|volume|act)[^\S\n]+(?:[0-9]+|[IVXLCDM]+|{_WORDS})\b[^\n]{{0,60}}
      )
    )$
    """,
    re.VERBOSE | re.MULTILINE,
)
# Where a chapter that is too long is cut, the best place first: between paragraphs, lines, sentences.
_ENDS = (re.compile(r"\n\s*\n"), re.compile("\n"), re.compile(r"[。！？…]+[”’」』]*|[.!?]+[\"')]*\s"))


def divided(text: str, length: int) -> Iterator[str]:
    """The parts of a document, which together are the document; itself when it has at most `length` characters.

    Parts begin at headings: of chapters in Chinese and English, and of Markdown. A chapter that is longer than `length`
    is cut into about equal parts at the ends of paragraphs. HTML pages stay whole.
    """
    if len(text) <= length or is_page(text):
        yield text
        return
    starts = [0]
    for heading in _HEADING.finditer(text):
        if heading.start() - starts[-1] >= MINIMUM_PART:
            starts.append(heading.start())
    if len(starts) > 1 and len(text) - starts[-1] < MINIMUM_PART:
        starts.pop()
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        begin = start
        while end - begin > length:
            number = -(-(end - begin) // length)
            cut = _cut(text, begin, begin - (begin - end) // number)
            yield text[begin:cut]
            begin = cut
        yield text[begin:end]


def _cut(text: str, start: int, wanted: int) -> int:
    """The best place to cut at or before `wanted`: the last end of a paragraph, else of a line, else of a sentence."""
    earliest = wanted - (wanted - start) // 4
    for end in _ENDS:
        places = [found.end() for found in end.finditer(text, earliest, wanted)]
        if places:
            return places[-1]
    return wanted
