"""HTML out of text.

A document that begins as a page (`<!doctype html>` or `<html>`) is parsed as a browser parses it, by lexbor. In any
other text a `<` may mean anything (`a < b`, `List<String>`, `<<三国演义>>`), and a parser would silently swallow what
follows; there, only well-formed tags of HTML elements are taken out, and everything else stays as it is.
"""

import html
import re

import polars as pl
from selectolax.lexbor import LexborHTMLParser

# Elements that end a line of text, in front of them and behind them.
_BLOCKS = (
    "address|article|aside|blockquote|body|br|caption|center|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|"
    "footer|form|frame|frameset|h1|h2|h3|h4|h5|h6|head|header|hgroup|hr|html|iframe|legend|li|main|menu|nav|noscript|"
    "ol|optgroup|option|p|pre|section|select|summary|table|tbody|td|textarea|tfoot|th|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|audio|b|basefont|bdi|bdo|big|blink|button|canvas|cite|code|col|colgroup|datalist|del|dfn|em|font|i|"
    "img|ins|kbd|label|mark|marquee|meter|nobr|picture|progress|q|rp|rt|ruby|s|samp|small|span|strike|strong|sub|sup|tt|"
    "u|var|video|wbr"
)
# In HTML these come with attributes; bare, they are placeholders (`cp <source>`) or C++ (`#include <map>`).
_WITH_ATTRIBUTES = "applet|area|base|data|embed|input|link|map|meta|object|output|param|source|time|track"
_OFFICE = r"</?(?:o|st1|v|w):[A-Za-z]+(?:[ \t\r\n][^<>]*)?/?>"  # tags that word processors leave in their HTML
# What stands between the tags of these is not text to read.
_UNREAD = "script|style|template|svg"

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


_UNREAD_ELEMENTS = "|".join(rf"(?is:<{name}(?:{_SPACE}[^<>]*)?>.*?</{name}{_SPACE}*>)" for name in _UNREAD.split("|"))
_COMMENT = r"(?s:<!--.*?-->)|(?i:<!doctype\b[^<>]*>)|<\?xml\b[^<>]*\?>"
_CDATA = r"(?s)<!\[CDATA\[(.*?)\]\]>"
_BLOCK_TAG = _tag(_BLOCKS)
_INLINE_TAG = "|".join([_tag(_INLINE), _tag(_WITH_ATTRIBUTES, bare=False), _OFFICE])
_REFERENCE = r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"
_PAGE = r"(?i)\A\s*(?:<\?xml\b[^<>]*>\s*)?(?:<!--[^<>]*-->\s*)*(?:<!doctype html\b|<html\b)"

HAS_MARKUP = rf"<[A-Za-z/!?]|{_REFERENCE}"
"""Matches in every text that `strip_markup` may change."""


def strip_markup(texts: pl.Series) -> pl.Series:
    """Take HTML out of `texts`: tags, comments, scripts, styles; block elements end lines; references are decoded."""
    pages = texts.str.contains(_PAGE).arg_true()
    if len(pages):
        texts = replaced(texts, pages, pl.Series([page_text(page) for page in texts.gather(pages)], dtype=pl.String))
    texts = (
        texts.str.replace_all(_COMMENT, "")
        .str.replace_all(_UNREAD_ELEMENTS, "")
        .str.replace_all(_CDATA, "${1}")
        .str.replace_all(_BLOCK_TAG, "\n")
        .str.replace_all(_INLINE_TAG, "")
    )
    coded = texts.str.contains(_REFERENCE).arg_true()
    if len(coded):
        texts = replaced(texts, coded, pl.Series([_decode(text) for text in texts.gather(coded)], dtype=pl.String))
    return texts


def replaced(series: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """A copy of `series` with `values` at the positions `rows` (`scatter` alone changes the series it is called on)."""
    return series.clone().scatter(rows, values)


_PREFORMATTED = re.compile(r"<(?:pre|textarea)[\s>]", re.IGNORECASE)
_PAGE_BLOCK = re.compile(rf"</?(?:{_BLOCKS})\b", re.IGNORECASE)
_REFERENCES = re.compile(_REFERENCE)


def page_text(page: str) -> str:
    """What a browser shows of an HTML page, a line per block element."""
    if not _PREFORMATTED.search(page):
        page = re.sub(rf"{_SPACE}+", " ", page)  # to a browser, a line break in the source is a blank
    tree = LexborHTMLParser(_PAGE_BLOCK.sub(r"\n\g<0>", page))
    tree.strip_tags([*_UNREAD.split("|"), "noscript", "iframe", "noframes"], recursive=True)
    root = tree.root
    return root.text(deep=True, separator="") if root else ""


def _decode(text: str) -> str:
    """Decode character references that end in a semicolon and are known; `&copy=1` and `&nonsense;` stay."""
    return _REFERENCES.sub(lambda match: _character(match[0]), text)


def _character(reference: str) -> str:
    if reference.startswith("&#"):
        return html.unescape(reference)
    return html.entities.html5.get(reference[1:], reference)
