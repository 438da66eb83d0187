"""Main text of a page by where its prose stands, whatever its elements are called.

After the method of arc90's and Mozilla's Readability: every paragraph gives points to the elements around it, by its
length and its commas; names and tags add or take some; links divide them. The element with the most points is the main
one, and neighbours with a good share of them belong to it. Chinese punctuation counts as Latin punctuation does.

readability-lxml 0.9 follows the same method. Alone it has an F1 of 0.972 on Chinese news and 0.493 to 0.780 on three
manuals (docs/benchmarks.md); here it would have to parse a page once more, for a vote on the elements that `navigation`
judges.
"""

import re

from lib.corpus.extraction.page_tree import BLOCKS, Element

_COMMA = re.compile("[,，、。；;]")
_UNLIKELY = re.compile(
    "combx|comment|community|disqus|extra|foot|header|menu|remark|rss|shoutbox|sidebar|sponsor|ad-break|agegate|"
    "pagination|pager|popup|related|recommend|share|social|breadcrumb|promo|newsletter|banner|cookie"
)
_BUT_LIKELY = re.compile("and|article|body|column|content|main|shadow")
_POSITIVE = re.compile("article|body|content|entry|hentry|main|page|post|text|blog|story")
_NEGATIVE = re.compile(
    "hidden|banner|combx|comment|contact|foot|masthead|media|meta|outbrain|promo|recommend|related|scroll|share|"
    "shoutbox|sidebar|skyscraper|sponsor|shopping|tags|tool|widget"
)
_NAME_POINTS = 25
_TAG_POINTS = {
    **dict.fromkeys(("div", "article", "main", "section"), 5),
    **dict.fromkeys(("pre", "td", "blockquote"), 3),
    **dict.fromkeys(("address", "ol", "ul", "dl", "dd", "dt", "li", "form"), -3),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "th", "header"), -5),
}
_BLOCKS = frozenset(BLOCKS.split("|")) - {"br", "dt", "dd", "center", "tr", "tbody"}
_ALWAYS_PARAGRAPHS = frozenset(["p", "pre", "blockquote"])
_PARAGRAPHS = frozenset(["td", "div", "section", "li", "center", "font"])  # when no block is in them
_SHORTEST_PARAGRAPH = 20  # characters
_LONG_PARAGRAPH = 80
_LEVELS = 5  # ancestors that get points
_UNLIKELY_SHARE = 0.25
"""A named part with this share of the page's text is not left out for its name."""
_SHORTEST_TEXT = 120
"""When less than this is found, names no longer make a part unlikely; if that is of no help, all is taken."""


def drop_all_but_prose(elements: list[Element]) -> list[int]:
    """Leave out what is unlikely to be main text; returns the positions of the elements that hold it."""
    for any_name in (False, True):
        unlikely = _unlikely(elements, any_name)
        roots = _main_parts(elements, unlikely)
        if sum(elements[at].characters for at in roots) >= _SHORTEST_TEXT:
            break
    else:
        roots = [0]
    for element, is_unlikely in zip(elements, unlikely, strict=True):
        element.drop = element.drop or is_unlikely
    return roots


def _unlikely(elements: list[Element], any_name: bool) -> list[bool]:
    """Of each element, whether it is in something that is hardly main text."""
    unlikely = [False] * len(elements)
    limit = elements[0].characters * _UNLIKELY_SHARE
    for at, element in enumerate(elements):
        unlikely[at] = (element.parent >= 0 and unlikely[element.parent]) or element.drop or element.is_navigation
        if element.names and not unlikely[at] and not any_name and element.characters < limit:
            unlikely[at] = bool(_UNLIKELY.search(element.names)) and not _BUT_LIKELY.search(element.names)
    return unlikely


def _main_parts(elements: list[Element], unlikely: list[bool]) -> list[int]:
    """Positions of the best element and of the neighbours that belong to it."""
    points = _points(elements, unlikely)
    if not points:
        return []
    best = max(points, key=lambda at: (points[at], -at))
    while _is_all_of(elements, best):
        best = elements[best].parent
    threshold = max(10.0, 0.2 * points.get(best, 0.0))
    parts = []
    at = elements[best].parent + 1
    end = elements[elements[best].parent].end if best else elements[best].end
    while at < end:
        element = elements[at]
        if element.text is None and not unlikely[at]:
            is_neighbour = points.get(at, 0.0) >= threshold or (element.tag == "p" and _is_prose(element))
            if at == best or is_neighbour:
                parts.append(at)
        at = element.end
    return parts


def _points(elements: list[Element], unlikely: list[bool]) -> dict[int, float]:
    """Points of the elements around paragraphs, by position."""
    holds_block = [False] * len(elements)
    commas = [0] * len(elements)
    for at in range(len(elements) - 1, 0, -1):
        element = elements[at]
        if element.text is not None and not element.drop:
            commas[at] = len(_COMMA.findall(element.text))
        if element.parent >= 0:
            commas[element.parent] += commas[at]
            holds_block[element.parent] |= holds_block[at] or element.tag in _BLOCKS
    points: dict[int, float] = {}
    for at, element in enumerate(elements):
        is_paragraph = element.tag in _ALWAYS_PARAGRAPHS or (element.tag in _PARAGRAPHS and not holds_block[at])
        if not is_paragraph or unlikely[at] or element.characters < _SHORTEST_PARAGRAPH:
            continue
        given = 1 + commas[at] + min(element.characters / 100, 3)
        above = element.parent
        for level in range(_LEVELS):
            if above < 0 or elements[above].tag == "html":
                break
            if above not in points:
                points[above] = _points_of_its_own(elements[above])
            points[above] += given / (1, 2, 6, 9, 12)[level]
            above = elements[above].parent
    for at in points:
        points[at] *= 1 - elements[at].link_characters / max(elements[at].characters, 1)
    return points


def _points_of_its_own(element: Element) -> float:
    points = _TAG_POINTS.get(element.tag, 0)
    if element.names:
        points += _NAME_POINTS * bool(_POSITIVE.search(element.names))
        points -= _NAME_POINTS * bool(_NEGATIVE.search(element.names))
    return points


def _is_all_of(elements: list[Element], at: int) -> bool:
    """Whether an element holds all text of its parent, so that its neighbours are further up."""
    above = elements[at].parent
    return above >= 0 and elements[above].tag != "body" and elements[above].characters == elements[at].characters


def _is_prose(element: Element) -> bool:
    if element.characters > _LONG_PARAGRAPH:
        return element.link_characters < 0.25 * element.characters
    return element.sentences > 0 and not element.link_characters
