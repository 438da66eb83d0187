import json
from collections import Counter
from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.corpus.extraction.mediawiki import articles

DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="zh">
<siteinfo><namespaces>
  <namespace key="0" case="first-letter" /><namespace key="6" case="first-letter">Datei</namespace>
  <namespace key="14" case="first-letter">Kategorie</namespace>
</namespaces></siteinfo>
<page><title>李白</title><ns>0</ns><id>1</id>
  <revision><id>2</id><contributor><username>甲</username></contributor><model>wikitext</model>
  <text bytes="9" xml:space="preserve">旧文</text></revision>
  <revision><model>wikitext</model><text>'''李白'''，字[[太白]]。&lt;ref&gt;书&lt;/ref&gt;[[Datei:a.jpg|图]][[Kategorie:诗人]]</text></revision>
</page>
<page><title>诗仙</title><ns>0</ns><redirect title="李白" /><revision><text>#重定向 [[李白]]</text></revision></page>
<page><title>诗圣</title><ns>0</ns><revision><text>#REDIRECT [[杜甫]]</text></revision></page>
<page><title>讨论:李白</title><ns>1</ns><revision><text>闲话</text></revision></page>
<page><title>表.js</title><ns>0</ns><revision><model>javascript</model><text>x</text></revision></page>
<page><title>删</title><ns>0</ns><revision><text deleted="deleted" /></revision></page>
</mediawiki>
"""


def read(dump: str, size: int = 1 << 20, most: int = 1 << 20) -> tuple[list[tuple[str, str, int]], Counter[str]]:
    left_out: Counter[str] = Counter()
    pieces = (dump[start : start + size] for start in range(0, len(dump), size))
    return list(articles(pieces, "wiki.xml", most, left_out)), left_out


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_articles_of_a_dump(size: int) -> None:
    found, left_out = read(DUMP, size)
    assert found == [("李白", "李白\n李白，字太白。", 0), ("删", "删\n", 0)]
    assert left_out == {"redirects": 2, "other namespaces": 1, "not wikitext": 1}


def test_articles_that_are_too_long() -> None:
    revision = f"<revision><text>{'文' * 5000}</text></revision>"
    page = f"<mediawiki><page><title>长</title><ns>0</ns>{revision}</page></mediawiki>"
    for size in (10, 1 << 20):
        assert read(page, size, 4000)[0] == [("长", "文" * 1000, 5000)]


def test_characters_that_xml_forbids_do_no_harm() -> None:
    page = "<mediawiki><page><title>a</title><ns>0</ns><revision><text>甲\0乙\x0b</text></revision></page></mediawiki>"
    assert read(page)[0] == [("a", "a\n甲\ufffd乙\ufffd", 0)]


def test_nothing() -> None:
    assert read("")[0] == read(" \n")[0] == read("<mediawiki/>")[0] == []


BOMB = '<!DOCTYPE mediawiki [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><mediawiki>&b;</mediawiki>'


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        (BOMB, "wiki.xml: the XML defines entities"),
        ('<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]><mediawiki>&a;</mediawiki>', "defines entities"),
        (DUMP[:500], "wiki.xml, line 9: broken XML"),
        ("<mediawiki>\n<page></mediawiki>", "line 2: broken XML"),
        ("text", "line 1: broken XML"),
        ("<rss><channel/></rss>", "the XML is no MediaWiki dump: it begins with <rss>"),
    ],
)
def test_what_is_no_dump(dump: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(dump)


def test_deep_nesting_does_not_recurse() -> None:
    assert read(f"<mediawiki>{'<a>' * 100_000}{'</a>' * 100_000}</mediawiki>")[0] == []


DATA = Path(__file__).parents[3] / "data"


def test_a_dump_with_everything_that_wikitext_has() -> None:
    """Templates, tables, references, galleries, variants, formulas, code, poems and what editors break."""
    found, left_out = read((DATA / "articles.xml").read_text(encoding="utf-8"))
    expected = [json.loads(line) for line in (DATA / "articles.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [{"title": title, "text": text} for title, text, _ in found] == expected
    assert left_out == {"redirects": 2, "other namespaces": 6}
