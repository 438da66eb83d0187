"""Main text of HTML pages, without navigation, a line per block element.

Documentation is taken by its elements and their names alone (see `navigation`), behind its title: its tables, lists and
code are as good as its prose. Of other pages, such as news, a line is kept when two of three agree on it: `navigation`,
`readability` and trafilatura. Trafilatura has the casting vote, but not on pages in Chinese, whose sites it does not
know; there `readability` has it.

Libraries that do the same, by F1 of the main text (docs/benchmarks.md): trafilatura 2.3 has 0.896 on Chinese news and
0.757 to 0.829 on three manuals, readability-lxml 0.9 has 0.972 and 0.493 to 0.780, the vote 0.965 and 0.851 to 0.992.
On English articles trafilatura is ahead, by 0.926 to 0.922.
"""

import re
from typing import Literal

from lib.corpus.extraction.navigation import content, drop_navigation
from lib.corpus.extraction.page_lines import page_lines, text_within
from lib.corpus.extraction.page_tree import Element, Page, is_hostile, parse
from lib.corpus.extraction.readability import drop_all_but_prose

PageKind = Literal["inferred", "article", "documentation"]

_DOCUMENTATION = re.compile(
    r"""(?i)<meta\b[^<>]*\bname=["']?generator\b[^<>]*\b(?:docbook|publican|sphinx|mkdocs|docusaurus|doxygen|javadoc|"""
    r"""asciidoc\w*|pandoc|texinfo|makeinfo|vitepress|vuepress|antora|mdbook|gitbook|docutils|pdoc|rustdoc|man2html)\b"""
    r"""|\A\s*<\?xml\b|\bxmlns:epub=|\bitemprop=["']?softwareHelp\b|\bitemtype=["']?https?://schema\.org/(?:TechArticle|APIReference)\b"""
)
"""Programs that make manuals; XHTML, as they and books have it; what schema.org calls help."""
_ARTICLE = re.compile(r"""(?i)<meta\b[^<>]*\bproperty=["']?og:type["']?[^<>]*\bcontent=["']?article\b""")
_HEAD = 20_000
"""Characters at the beginning of a page that say what kind it is."""
_SHORT = 100
"""A page with less text than this, in characters, is not cut any further."""
_MAXIMUM_CHARACTERS = 1 << 20
_MAXIMUM_TAGS = 20_000
"""Pages that are larger are taken for documentation; trafilatura would need seconds for them."""
_LONG_LINE = 80
_SHORT_LINE = 20
"""Letters and digits below which a line may stand in a text by chance, as `视频` and `1` do."""
_LINE_END = re.compile(r"""[.!?:。！？：…"”»」）)]\s*\Z""")
_NOT_WORDS = re.compile(r"[\W_]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_HAN_SHARE = 0.3
"""A page is in Chinese (or Japanese) when at least this share of its letters are Han characters."""


def page_text(page: str, kind: PageKind = "inferred") -> str:
    """Title and main text of an HTML page; the page itself when it is hostile (see `page_tree.is_hostile`)."""
    if is_hostile(page):
        return page
    parsed = parse(page)
    elements = parsed.elements
    if not elements:
        return ""
    is_article = kind == "article" or (kind == "inferred" and not _is_documentation(page))
    if is_article and len(page) <= _MAXIMUM_CHARACTERS and page.count("<") <= _MAXIMUM_TAGS:
        lines = _article_lines(parsed)
    else:
        drop_navigation(elements)
        lines = _with_title(parsed, page_lines(elements, content(elements)))
    return "\n".join(lines)


def _is_documentation(page: str) -> bool:
    head = page[:_HEAD]
    return bool(_DOCUMENTATION.search(head)) and not _ARTICLE.search(head)


def _with_title(page: Page, lines: list[str]) -> list[str]:
    """`lines` behind the title, which is in no other of them."""
    title = page.title
    first = (at for at, one in enumerate(page.elements) if one.tag == "h1" and not one.drop)
    heading = next((text_within(page.elements, at) for at in first), "")
    if heading and title.startswith(heading):
        title = heading  # without the name of the site
    if not title:
        return lines
    for number, line in enumerate(lines):
        if line.strip() == title:
            return [title, *lines[:number], *lines[number + 1 :]]
    return [title, *lines]


def _article_lines(page: Page) -> list[str]:
    """The lines on which two of three agree."""
    elements = page.elements
    before = [element.drop for element in elements]
    lines = [line for line in page_lines(elements, [0]) if line.strip()]
    by_prose = _Choice(page_lines(elements, drop_all_but_prose(elements)))
    _restore(elements, before)
    drop_navigation(elements)
    own_lines = page_lines(elements, content(elements))
    by_names = _Choice(own_lines)
    if len(by_names.words) < _SHORT:
        return own_lines
    by_library = _Choice(_trafilatura_text(page.source).split("\n"))
    words = [_words(line) for line in lines]
    votes = [(w in by_names, w in by_library, w in by_prose) for w in words]
    is_chinese = _is_chinese("".join(words))
    either = sum(len(w) for w, vote in zip(words, votes, strict=True) if vote[1] or vote[2])
    library_alone = sum(len(w) for w, (_, library, prose) in zip(words, votes, strict=True) if library and not prose)
    prose_alone = sum(len(w) for w, (_, library, prose) in zip(words, votes, strict=True) if prose and not library)
    kept = []
    for line, w, (names, library, prose) in zip(lines, words, votes, strict=True):
        if is_chinese:
            is_kept = prose and (names or library)
        elif prose_alone > either / 2:  # trafilatura missed the text
            is_kept = names and prose
        elif library_alone > either / 2:  # the text has little prose
            is_kept = library
        else:
            is_long = len(w) >= _LONG_LINE and _LINE_END.search(line) is not None
            is_kept = (library and (names or prose)) or (names and prose and is_long)
        if is_kept:
            kept.append(line)
    return kept or own_lines


class _Choice:
    """What one of the three takes for main text."""

    def __init__(self, lines: list[str]) -> None:
        each = [_words(line) for line in lines]
        self.words = "".join(each)
        self._lines = set(each)

    def __contains__(self, words: str) -> bool:
        """Whether it has a line with these letters and digits: a short one as a line, a long one anywhere."""
        if len(words) < _SHORT_LINE:
            return bool(words) and words in self._lines
        return words in self.words


def _restore(elements: list[Element], dropped: list[bool]) -> None:
    for element, drop in zip(elements, dropped, strict=True):
        element.drop = drop


def _trafilatura_text(page: str) -> str:
    import trafilatura  # takes a quarter of a second, which plain text need not pay

    return trafilatura.extract(page, include_comments=False, include_tables=True, deduplicate=False) or ""


def _words(text: str) -> str:
    """Letters and digits of a text, by which lines are compared."""
    return _NOT_WORDS.sub("", text)


def _is_chinese(words: str) -> bool:
    return len(_HAN.findall(words)) >= _HAN_SHARE * max(len(words), 1)
