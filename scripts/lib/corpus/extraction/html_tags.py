"""HTML out of text.

A document that begins as a page (`<!doctype html>` or `<html>`) is parsed, and its main text is taken. In any other
text a `<` may mean anything (`a < b`, `List<String>`, `<<三国演义>>`), and a parser would silently swallow what
follows; there, only well-formed tags of HTML elements are taken out, and everything else stays as it is.

Of fourteen texts in which `<` is no tag, these leave fourteen as they are; BeautifulSoup's get_text leaves ten with
Python's parser and eight with lxml's, selectolax's text eight.
"""

import html
import re

import polars as pl

from lib.corpus.extraction.html_page import PageKind, page_text
from lib.corpus.extraction.page_tree import BLOCKS, PAGE, UNREAD
from lib.text.series import replaced

_INLINE = (
    "a|abbr|acronym|audio|b|basefont|bdi|bdo|big|blink|button|canvas|cite|code|col|colgroup|datalist|del|dfn|em|font|i|"
    "img|ins|kbd|label|mark|marquee|meter|nobr|picture|progress|q|rp|rt|ruby|s|samp|small|span|strike|strong|sub|sup|tt|"
    "u|var|video|wbr"
)
# In HTML these come with attributes; bare, they are placeholders (`cp <source>`) or C++ (`#include <map>`).
_WITH_ATTRIBUTES = "applet|area|base|data|embed|input|link|map|meta|object|output|param|source|time|track"
_OFFICE = r"</?(?:o|st1|v|w):[A-Za-z]+(?:[ \t\r\n][^<>]*)?/?>"  # tags that word processors leave in their HTML

_SPACE = r"[ \t\r\n\f]"
_FLAGS = (
    "allowfullscreen|async|autofocus|autoplay|checked|compact|controls|default|defer|disabled|hidden|ismap|itemscope|"
    "loop|multiple|muted|nohref|noshade|novalidate|nowrap|open|readonly|required|reversed|selected"
)
# White space, then a name with a value or a known flag: `if a <b and c> d` has neither. The rest may be untidy.
_ATTRIBUTES = (
    rf"{_SPACE}+(?:[A-Za-z_:@][A-Za-z0-9_:@.-]*{_SPACE}*=|(?i:{_FLAGS})\b)"
    r"""(?:[^<>"']|"[^"<]*"|'[^'<]*'|["'])*"""
)


def _tag(names: str, bare: bool = True) -> str:
    """Regular expression of the tags of elements `names` (`a|b|…`); not `bare`: opening tags need an attribute.

    Names are in lower or in upper case: `List<Object>` is not HTML. Neither is a bare single capital (`Box<A>`).
    """
    any_case = f"{names}|{names.upper()}"
    openings = [rf"(?:{any_case}){_ATTRIBUTES}"]
    if bare:
        long = "|".join(name for name in names.split("|") if len(name) > 1)
        openings.append(rf"(?:{names}|{long.upper()}){_SPACE}*/?")
    return rf"<(?:/(?:{any_case}){_SPACE}*|{'|'.join(openings)})>"


_UNREAD_ELEMENTS = "|".join(rf"(?is:<{name}(?:{_SPACE}[^<>]*)?>.*?</{name}{_SPACE}*>)" for name in UNREAD.split("|"))
_COMMENT = r"(?s:<!--.*?-->)|(?i:<!doctype\b[^<>]*>)|<\?xml\b[^<>]*\?>"
_CDATA = r"(?s)<!\[CDATA\[(.*?)\]\]>"
_BLOCK_TAGS = rf"{_SPACE}*(?:(?:{_tag(BLOCKS)}){_SPACE}*)+"  # with the layout of the source around them
_INLINE_TAG = "|".join([_tag(_INLINE), _tag(_WITH_ATTRIBUTES, bare=False), _OFFICE])
_REFERENCE = r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"

HAS_MARKUP = rf"<[A-Za-z/!?]|{_REFERENCE}"
"""Matches in every text that `strip_markup` may change."""


def strip_markup(texts: pl.Series) -> pl.Series:
    """Take HTML out of `texts`: tags, comments, scripts, styles; block elements end lines; references are decoded."""
    return strip_tags(strip_pages(texts))


def strip_pages(texts: pl.Series, kind: PageKind = "inferred") -> pl.Series:
    """Put the main text of a page in its place."""
    pages = texts.str.contains(PAGE).arg_true()
    if not len(pages):
        return texts
    main_texts = pl.Series([page_text(page, kind) for page in texts.gather(pages)], dtype=pl.String)
    return replaced(texts, pages, main_texts.str.replace_all(r"\n\s*\n", "\n"))


def strip_tags(texts: pl.Series) -> pl.Series:
    """Take out tags, comments, scripts and styles, and decode references, in whatever text they stand."""
    texts = (
        texts.str.replace_all(_COMMENT, "")
        .str.replace_all(_UNREAD_ELEMENTS, "")
        .str.replace_all(_CDATA, "${1}")
        .str.replace_all(_BLOCK_TAGS, "\n")
        .str.replace_all(_INLINE_TAG, "")
    )
    coded = texts.str.contains(_REFERENCE).arg_true()
    if len(coded):
        texts = replaced(texts, coded, pl.Series([_decode(text) for text in texts.gather(coded)], dtype=pl.String))
    return texts


_REFERENCES = re.compile(_REFERENCE)


def _decode(text: str) -> str:
    """Decode character references that end in a semicolon and are known; `&copy=1` and `&nonsense;` stay."""
    return _REFERENCES.sub(lambda match: _character(match[0]), text)


def _character(reference: str) -> str:
    if reference.startswith("&#"):
        return html.unescape(reference)
    return html.entities.html5.get(reference[1:], reference)
