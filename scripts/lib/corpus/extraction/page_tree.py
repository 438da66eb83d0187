"""Tree of an HTML page, as a list of its elements and texts in document order.

A page is parsed as a browser parses it, by lexbor, unless it is hostile. What is not read, such as scripts, and what is
hidden is marked as dropped. Everything is one pass over the tree, without recursion.
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
HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_NOTED = HEADINGS | {"main", "article", "table", "th", "ul", "ol", "dl", "pre"}
SENTENCE_END = re.compile(r"[。！？；]|(?<=[A-Za-z])[.!?](?=\s|$)")
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
class Element:
    """An element of the page; `end` is the position behind its last descendant in document order."""

    tag: str
    parent: int
    end: int = 0
    text: str | None = None
    """Of text nodes."""
    drop: bool = False
    """Is not read, hidden, or left out since."""
    is_navigation: bool = False
    """Is or lies within navigation by its tag or role."""
    suspect: bool = False
    """Has a class name of navigation."""
    names: str = ""
    """Its class and its id, in lower case."""
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


@dataclass(frozen=True)
class Page:
    """A parsed page."""

    title: str
    elements: list[Element]
    """In document order, parents before children; the first one is the root."""
    source: str
    """Its HTML without hidden elements."""


def parse(page: str) -> Page:
    """Parse and measure an HTML page that is not hostile."""
    if page.lstrip().startswith("<?xml"):
        page = _EMPTY_ELEMENT.sub(r"<\1\2></\1>", page)
    root = LexborHTMLParser(page).root
    if root is None:
        return Page("", [], page)
    title, elements, hidden = _elements(root)
    measure(elements)
    if hidden:
        for node in hidden:
            node.decompose()
        page = root.html or ""
    return Page(title, elements, page)


def _elements(root: LexborNode) -> tuple[str, list[Element], list[LexborNode]]:
    """The title, all elements and texts of the page, and the outermost hidden nodes."""
    title = ""
    elements: list[Element] = []
    hidden: list[LexborNode] = []
    positions: dict[int, int] = {}
    for node in root.traverse(include_text=True):
        tag = node.tag or ""
        above = positions.get(node.parent.mem_id, -1) if node.parent else -1
        parent = elements[above] if above >= 0 else None
        if tag == "-text":
            if parent:
                if parent.tag == "title" and not title:
                    title = unwrapped(marked(node.text_content or "")).strip(" ")
                text = Element(tag, above, text=node.text_content or "", drop=parent.drop)
                text.is_navigation = parent.is_navigation
                elements.append(text)
            continue
        element = Element(tag, above)
        if parent:
            element.drop, element.is_navigation = parent.drop, parent.is_navigation
            element.inside = parent.inside or tag in ("main", "article")
        if tag in _UNREAD_TAGS or tag == "head" or tag.startswith("-"):
            element.drop = True
        elif attributes := node.attributes:
            if tag != "body" and ("hidden" in attributes or _HIDDEN.search(attributes.get("style") or "")):
                if not element.drop:
                    hidden.append(node)
                element.drop = True
            _look_at_attributes(element, attributes)
        if tag in _NAVIGATION_TAGS:
            element.is_navigation = True
        if tag == "form" or (tag == "header" and not element.inside):
            element.suspect = True
        positions[node.mem_id] = len(elements)
        elements.append(element)
    return title, elements, hidden


def _look_at_attributes(element: Element, attributes: dict[str, str | None]) -> None:
    if element.tag == "a":
        element.is_link = "href" in attributes
    if element.tag not in _CONTAINERS:
        return
    role = attributes.get("role")
    if attributes.get("aria-hidden") == "true" or role in _NAVIGATION_ROLES:
        element.is_navigation = True
    if role == "main":
        element.tag = "main"
    element.names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}".lower().strip()
    element.suspect = not _NAVIGATION_CLASSES.isdisjoint(_NAME_PARTS.split(element.names))


def measure(elements: list[Element]) -> None:
    """Add up characters, links and tags of what is not dropped, from the leaves to the root."""
    for element in elements:
        element.characters = element.link_characters = element.links = element.sentences = 0
        element.tags.clear()
    for at in range(len(elements) - 1, -1, -1):
        element = elements[at]
        element.end = max(element.end, at + 1)
        if element.text is not None:
            element.characters = len("".join(element.text.split()))
            element.sentences = len(SENTENCE_END.findall(element.text))
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
