"""Main text of HTML pages: the title, then the content without navigation, a line per block element.

A page is parsed as a browser parses it, by lexbor. What is left out: scripts and other things that are not read;
what a style hides; navigation, footers, sidebars and forms by their elements, roles and usual class names, unless a
form is around the whole page; and blocks that consist of links. If an element says that it is the main one (`<main>`,
`<article>`), the rest of the page goes, too. Everything is one pass over the tree in document order, without recursion.
"""

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from lib.corpus.extraction.line_breaks import marked, unwrapped

BLOCKS = (
    "address|article|aside|blockquote|body|br|caption|center|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|"
    "footer|form|frame|frameset|h1|h2|h3|h4|h5|h6|head|header|hgroup|hr|html|iframe|legend|li|main|menu|nav|noscript|"
    "ol|optgroup|option|p|pre|section|select|summary|table|tbody|td|textarea|tfoot|th|thead|title|tr|ul"
)
"""Elements that end a line of text, in front of them and behind them; a regular expression."""
UNREAD = "script|style|template|svg"
"""What stands between the tags of these is not text to read; a regular expression."""

PAGE = r"(?i)\A\s*(?:<\?xml\b[^<>]*>\s*)?(?:<!--[^<>]*-->\s*)*(?:<!doctype html\b|<html\b)"
"""What a page begins with; a regular expression."""
MAXIMUM_DEPTH = 2_000
"""Pages that nest deeper are no pages; the parser's time grows with the square of the depth."""
MAXIMUM_TAGS = 250_000
"""Pages with more tags are not parsed either; an element takes a kilobyte of memory."""
MAXIMUM_PAGE = 1 << 23
"""Nor are pages with more characters, whose text is held several times over."""
MAXIMUM_TAG = 1 << 16
"""Longest tag, in characters, that may have any number of attributes, which take quadratic time as well."""

_BLOCK_TAGS = frozenset(BLOCKS.split("|"))
_UNREAD_TAGS = frozenset([*UNREAD.split("|"), "noscript", "iframe", "noframes", "rt", "rp", "object", "audio", "video"])
_NAVIGATION_TAGS = frozenset(["nav", "aside", "footer", "button", "select", "menu", "dialog"])
_NAVIGATION_ROLES = frozenset(["navigation", "banner", "contentinfo", "complementary", "search", "menu", "dialog"])
_NAVIGATION_NAMES = (
    "ad ads advert advertisement banner breadcrumb breadcrumbs catlinks cookie cookies copyright crumb crumbs "
    "editsection footer menu modal nav navbar navbox navfooter navheader navigation newsletter noprint pager "
    "pagination popup recommend recommended reference related share sharing sidebar social subscribe toc "
    "toolbar"
)
_NAVIGATION_CLASSES = frozenset(_NAVIGATION_NAMES.split())
# Elements that are looked at for class names and for being made of links.
_CONTAINERS = frozenset(
    ["div", "section", "ul", "ol", "dl", "table", "tbody", "tr", "td", "span", "p", "sup", "center", "font", "header"]
)
_LINK_CONTAINERS = frozenset(["div", "section", "ul", "ol", "dl", "table", "td", "p", "center"])
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_SENTENCE_END = re.compile(r"[。！？；]|(?<=[A-Za-z])[.!?](?=\s|$)")
_LINK_SHARE = 0.6
"""A block with at least this share of its characters in links is a list of links."""
_MAIN_SHARE = 0.25
"""An element that says that it is the main one is believed when it holds this share of the text."""
_CELL_CHARACTERS = 200
"""A table whose cells are no longer than this holds data, and a row of it is one line."""

# `visibility: hidden` is not among them: some sites write their text in it and show it later.
_HIDDEN = re.compile(
    r"(?i)(?:^|;)\s*(?:display\s*:\s*none|font-size\s*:\s*0*\.?0+(?:[a-z]+|%)?)\s*(?:!\s*important\s*)?(?:;|$)"
)

_SPACE = re.compile(r"[ \t\r\n\f]+")
_NAME_PARTS = re.compile(r"[\s_-]+")
# In XHTML, elements without content may be written like this; in HTML, the slash counts for nothing.
_EMPTY_ELEMENT = re.compile(r"<(a|b|div|em|i|iframe|p|script|span|strong|style|td|textarea|th|title)\b([^<>]*)/>")
_TAG_NAME = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)")
_LONG_TAG = re.compile(rf"<[A-Za-z][^<>]{{{MAXIMUM_TAG},}}")
# Elements that have no end tag, or may leave it out; the next one of the kind ends them.
_WITHOUT_END = (
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th thead tbody "
    "tfoot option optgroup colgroup rt rp html head body"
)
_NOT_NESTING = frozenset(_WITHOUT_END.split())


@dataclass(slots=True)
class _Element:
    """An element of the page; `end` is the position behind its last descendant in document order."""

    tag: str
    parent: int
    end: int = 0
    text: str | None = None
    """Of text nodes."""
    drop: bool = False
    suspect: bool = False
    """Has a class name of navigation."""
    inside: bool = False
    """Lies within an element that says that it is content."""
    is_link: bool = False
    characters: int = 0
    link_characters: int = 0
    links: int = 0
    sentences: int = 0
    """Marks that end a sentence, outside links."""
    tags: set[str] = field(default_factory=set)
    """Of its descendants, as far as they matter: headings, main, article, table, lists."""


_NOTED = _HEADINGS | {"main", "article", "table", "th", "ul", "ol", "dl", "pre"}


def is_page(text: str) -> bool:
    """Whether `text` begins as an HTML page."""
    return re.match(PAGE, text) is not None


def is_hostile(page: str) -> bool:
    """Whether the parser would take very much time or memory: thousands of elements within each other, say."""
    if len(page) > MAXIMUM_PAGE or page.count("<") > MAXIMUM_TAGS:
        return True
    if page.count("<") > MAXIMUM_DEPTH:
        depth = 0
        for match in _TAG_NAME.finditer(page):
            if match[2].lower() not in _NOT_NESTING:
                depth = max(depth - 1, 0) if match[1] else depth + 1
                if depth > MAXIMUM_DEPTH:
                    return True
    return any(len(_SPACE.findall(match[0])) > 1000 or match[0].count("=") > 1000 for match in _LONG_TAG.finditer(page))


def page_text(page: str) -> str:
    """Title and main text of an HTML page; the page itself when it is hostile (see `is_hostile`)."""
    if is_hostile(page):
        return page
    if page.lstrip().startswith("<?xml"):
        page = _EMPTY_ELEMENT.sub(r"<\1\2></\1>", page)
    root = LexborHTMLParser(page).root
    if root is None:
        return ""
    title, elements = _elements(root)
    _measure(elements)
    _drop_navigation(elements)
    _drop_link_lists(elements)
    lines = unwrapped("".join(_written(elements, _content(elements)))).split("\n")
    heading = next((_text(elements, at) for at, one in enumerate(elements) if one.tag == "h1" and not one.drop), "")
    if heading and title.startswith(heading):
        title = heading  # without the name of the site
    if title:
        lines = [title, *_without_first(lines, title)]
    return "\n".join(lines)


def _without_first(lines: list[str], title: str) -> list[str]:
    """`lines` without the first one that only repeats the title."""
    for number, line in enumerate(lines):
        if line.strip() == title:
            return lines[:number] + lines[number + 1 :]
    return lines


def _elements(root: LexborNode) -> tuple[str, list[_Element]]:
    """The title, and all elements and texts of the page in document order, parents before children."""
    title = ""
    elements: list[_Element] = []
    positions: dict[int, int] = {}
    for node in root.traverse(include_text=True):
        tag = node.tag or ""
        above = positions.get(node.parent.mem_id, -1) if node.parent else -1
        parent = elements[above] if above >= 0 else None
        if tag == "-text":
            if parent:
                if parent.tag == "title" and not title:
                    title = unwrapped(marked(node.text_content or "")).strip(" ")
                elements.append(_Element(tag, above, text=node.text_content or "", drop=parent.drop))
            continue
        element = _Element(tag, above)
        if parent:
            element.drop = parent.drop
            element.inside = parent.inside or tag in ("main", "article")
        if tag in _UNREAD_TAGS or tag in _NAVIGATION_TAGS or tag == "head" or tag.startswith("-"):
            element.drop = True
        elif attributes := node.attributes:
            _look_at_attributes(element, attributes)
        if tag == "form" or (tag == "header" and not element.inside):
            element.suspect = True
        positions[node.mem_id] = len(elements)
        elements.append(element)
    return title, elements


def _look_at_attributes(element: _Element, attributes: dict[str, str | None]) -> None:
    if element.tag != "body" and _HIDDEN.search(attributes.get("style") or ""):
        element.drop = True
    if element.tag == "a":
        element.is_link = "href" in attributes
    if element.tag not in _CONTAINERS:
        return
    role = attributes.get("role")
    if "hidden" in attributes or attributes.get("aria-hidden") == "true" or role in _NAVIGATION_ROLES:
        element.drop = True
    if role == "main":
        element.tag = "main"
    names = _NAME_PARTS.split(f"{attributes.get('class') or ''} {attributes.get('id') or ''}".lower())
    element.suspect = not _NAVIGATION_CLASSES.isdisjoint(names)


def _measure(elements: list[_Element]) -> None:
    """Add up characters, links and tags from the leaves to the root."""
    for at in range(len(elements) - 1, -1, -1):
        element = elements[at]
        element.end = max(element.end, at + 1)
        if element.text is not None:
            element.characters = len("".join(element.text.split()))
            element.sentences = len(_SENTENCE_END.findall(element.text))
        elif element.is_link and element.characters:
            element.link_characters = element.characters
            element.links = 1
            element.sentences = 0
        if element.parent >= 0:
            parent = elements[element.parent]
            parent.end = max(parent.end, element.end)
            if not element.drop:
                parent.characters += element.characters
                parent.link_characters += element.link_characters
                parent.links += element.links
                parent.sentences += element.sentences
            parent.tags |= element.tags
            if element.tag in _NOTED:
                parent.tags.add(element.tag)


def _drop(elements: list[_Element], at: int) -> None:
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


def _drop_navigation(elements: list[_Element]) -> None:
    """Leave out what class names call navigation, unless it holds the heading or a good part of the page."""
    total = elements[0].characters
    for at, element in enumerate(elements):
        if element.suspect and not element.drop:
            is_wrapper = element.tags & {"h1", "main", "article"} or element.characters > total / 3
            if not is_wrapper:
                _drop(elements, at)


def _drop_link_lists(elements: list[_Element]) -> None:
    """Leave out blocks that consist of links, the outermost ones first. Tables with a heading hold data."""
    kept_end = 0
    for at, element in enumerate(elements):
        if element.tag == "table" and "th" in element.tags:
            kept_end = max(kept_end, element.end)
        if at < kept_end or "th" in element.tags:
            continue
        if element.drop or element.tag not in _LINK_CONTAINERS or not element.links:
            continue
        if element.tags & _HEADINGS and element.links < 4:
            continue  # headings that link to themselves
        if element.tag == "td" and element.links < 4:
            continue  # the name of something in a table of data
        share = element.link_characters / max(element.characters, 1)
        is_short = element.characters < 40 and not _SENTENCE_END.search(_text(elements, at))
        is_list = element.links > 1 and share >= _LINK_SHARE and element.sentences < 2
        if is_list or (share >= 0.9 and is_short):
            if _is_introduced(elements, at):
                kept_end = element.end
            else:
                _drop(elements, at)


def _is_introduced(elements: list[_Element], at: int) -> bool:
    """Whether the text in front of an element ends in a colon and is longer than a label (`相关链接：`)."""
    for before in range(at - 1, -1, -1):
        text = elements[before].text
        if text is not None and text.strip() and not elements[before].drop:
            return text.rstrip()[-1] in "：:" and elements[elements[before].parent].characters > 12
    return False


def _content(elements: list[_Element]) -> list[int]:
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


def _text(elements: list[_Element], at: int) -> str:
    """All text within an element, on one line."""
    inner = elements[at : elements[at].end]
    text = "".join(one.text for one in inner if one.text is not None and not one.drop)
    return unwrapped(marked(text)).strip()


def _written(elements: list[_Element], roots: list[int]) -> list[str]:
    """Pieces of text of the chosen elements: line breaks around blocks, ` | ` between the cells of a data table."""
    pieces: list[str] = []
    open_blocks: list[tuple[int, str]] = []  # where an element ends, and what to write there
    cell_end = pre_end = bars = 0
    row, row_has_text = -1, False
    data_tables: dict[int, bool] = {}
    for root in roots:
        at = root
        while at < elements[root].end:
            while open_blocks and open_blocks[-1][0] <= at:
                pieces.append(open_blocks.pop()[1])
            element = elements[at]
            if element.drop:
                at = element.end
                continue
            in_cell = at < cell_end
            if element.text is not None:
                if in_cell and element.characters:
                    pieces.append(" |" * bars + " " * (bars > 0))
                    row_has_text, bars = True, 0
                pieces.append(element.text if at < pre_end and not in_cell else marked(element.text))
            elif element.tag in ("td", "th") and not in_cell and _is_in_data_table(elements, at, data_tables):
                if element.parent != row:
                    row, row_has_text, bars = element.parent, False, 0
                bars += row_has_text
                cell_end = element.end
            elif element.tag in _BLOCK_TAGS:
                pieces.append(" " if in_cell else "\n")
                open_blocks.append((element.end, " " if in_cell else "\n"))
                if element.tag in ("pre", "textarea"):
                    pre_end = element.end
            at += 1
        pieces += [text for _, text in reversed(open_blocks)]
        open_blocks.clear()
    return pieces


def _is_in_data_table(elements: list[_Element], cell: int, known: dict[int, bool]) -> bool:
    """Whether the table around a cell holds data: short cells, no tables, lists or code in them."""
    table = elements[cell].parent
    while table >= 0 and elements[table].tag != "table":
        table = elements[table].parent
    if table < 0:
        return False
    if table not in known:
        outer = elements[table]
        inner = elements[table : outer.end]
        known[table] = not outer.tags & {"table", "ul", "ol", "dl", "pre"} and all(
            one.characters <= _CELL_CHARACTERS for one in inner if one.tag in ("td", "th")
        )
    return known[table]
