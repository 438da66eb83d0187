"""Main text of a page by what its elements and their names say of themselves.

Navigation, footers, sidebars and forms are left out by elements, roles and usual class names, unless a form is around
the whole page; so are blocks that consist of links. If an element says that it is the main one (`<main>`,
`<article>`), the rest of the page is left out, too.
"""

from lib.corpus.extraction.page_lines import text_within
from lib.corpus.extraction.page_tree import HEADINGS, SENTENCE_END, Element, measure

_LINK_CONTAINERS = frozenset(["div", "section", "ul", "ol", "dl", "table", "td", "p", "center"])
_LINK_SHARE = 0.6
"""A block with at least this share of its characters in links is a list of links."""
_MAIN_SHARE = 0.25
"""An element that says that it is the main one is believed when it holds this share of the text."""


def drop_navigation(elements: list[Element]) -> None:
    """Leave out navigation and lists of links."""
    for element in elements:
        element.drop = element.drop or element.is_navigation
    measure(elements)
    _drop_named_navigation(elements)
    _drop_link_lists(elements)


def _drop_named_navigation(elements: list[Element]) -> None:
    """Leave out what class names call navigation, unless it holds the heading or a good part of the page."""
    total = elements[0].characters
    for at, element in enumerate(elements):
        if element.suspect and not element.drop:
            is_wrapper = element.tags & {"h1", "main", "article"} or element.characters > total / 3
            # DocBook calls a box with a title, within the text, a sidebar.
            is_box = element.names == "sidebar" and _first_inside(elements, at).names == "titlepage"
            if not (is_wrapper or is_box):
                _drop(elements, at)


def _first_inside(elements: list[Element], at: int) -> Element:
    """The first element in the one at a position, itself when there is none; text is none."""
    return next((one for one in elements[at + 1 : elements[at].end] if one.text is None), elements[at])


def _drop(elements: list[Element], at: int) -> None:
    """Leave out an element with all that is in it."""
    gone = elements[at]
    above = gone.parent
    while above >= 0:
        elements[above].characters -= gone.characters
        elements[above].link_characters -= gone.link_characters
        elements[above].links -= gone.links
        elements[above].sentences -= gone.sentences
        above = elements[above].parent
    for element in elements[at : gone.end]:
        element.drop = True


def _drop_link_lists(elements: list[Element]) -> None:
    """Leave out blocks that consist of links, the outermost ones first. Tables with a heading hold data."""
    kept_end = 0
    last_text = -1  # what is read in front of an element
    for at, element in enumerate(elements):
        if element.text is not None and not element.drop and element.characters:
            last_text = at
        if element.tag == "table" and "th" in element.tags:
            kept_end = max(kept_end, element.end)
        if at < kept_end or "th" in element.tags:
            continue
        if element.drop or element.tag not in _LINK_CONTAINERS or not element.links:
            continue
        if element.tags & HEADINGS and element.links < 4:
            continue  # headings that link to themselves
        if element.tag == "td" and element.links < 4:
            continue  # the name of something in a table of data
        share = element.link_characters / max(element.characters, 1)
        is_short = element.characters < 40 and not SENTENCE_END.search(text_within(elements, at))
        is_list = element.links > 1 and share >= _LINK_SHARE and element.sentences < 2
        if is_list or (share >= 0.9 and is_short):
            if last_text >= 0 and _is_introduction(elements, last_text):
                kept_end = element.end
            else:
                _drop(elements, at)


def _is_introduction(elements: list[Element], at: int) -> bool:
    """Whether the text at a position ends in a colon and is longer than a label (`相关链接：`)."""
    text = elements[at].text
    return text is not None and text.rstrip()[-1] in "：:" and elements[elements[at].parent].characters > 12


def content(elements: list[Element]) -> list[int]:
    """Positions of the elements that hold the main text."""
    total = elements[0].characters
    mains = [at for at, element in enumerate(elements) if element.tag == "main" and not element.drop]
    if mains:
        best = max(mains, key=lambda at: elements[at].characters)
        if elements[best].characters >= _MAIN_SHARE * total:
            return [best]
    articles: list[int] = []
    for at, element in enumerate(elements):
        if element.tag == "article" and not element.drop and not (articles and at < elements[articles[-1]].end):
            articles.append(at)
    if articles and sum(elements[at].characters for at in articles) >= _MAIN_SHARE * total:
        return articles
    return [0]
