"""Main text of web pages, against trafilatura and readability-lxml, on sets that others have marked.

    make bench-pages PAGES=folder

The sets are fetched by hand into one folder, which is not committed. Those that are missing are left out:

    git clone --depth 1 https://github.com/adbar/trafilatura
    git clone --depth 1 https://github.com/scrapinghub/article-extraction-benchmark
    git clone --depth 1 https://github.com/mozilla/readability
    git clone --depth 1 https://github.com/kingname/GeneralNewsExtractor
    apt-get download debian-handbook gimp-help-en gimp-help-zh-cn
    apt-get download libreoffice-help-common libreoffice-help-en-us libreoffice-help-zh-cn
    for package in *.deb; do dpkg-deb -x "$package" debian; done

Trafilatura's pages are scored as its own tests do: passages that belong to the text are looked for, and passages that
do not. All others are scored as article-extraction-benchmark does: precision and recall of runs of four words, page by
page, their means, and F1 of these; a Chinese character counts as a word. The text of Mozilla's pages is what
Readability.js makes of them. In Chinese news and in documentation it is the element that holds it, named below for each
site; of documentation, 60 pages of each language.
"""

import argparse
import gzip
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "scripts"))

import trafilatura
from selectolax.lexbor import LexborHTMLParser

from lib.core.outputs import new_file, write_json
from lib.corpus.extraction.html_page import page_text
from lib.corpus.extraction.page_lines import page_lines
from lib.corpus.extraction.page_tree import parse
from lib.files.decoding import Decoder

CHINESE_NEWS = {
    "163": "#endText, #content",
    "baijiahao": ".article-content",
    "cjddsb": ".entry-content",
    "cjn": ".TRS_Editor",
    "csdn": ".news_content",
    "ednchina": ".article_body",
    "gamersky": "article",
    "gsc": ".detailCon",
    "guancha": ".all-txt",
    "gzggw": "#zoom",
    "hexun": ".art_contextBox",
    "huanqiu": ".a-con",
    "ifeng": "#main_content, [class*=main_content]",
    "mingridapan": ".page_art_content",
    "people": "#rwb_zw",
    "qq": "#Cnt-Main-Article-QQ, .content-article",
    "readhub": "main [class^=summary]",
    "shanxi": ".TRS_Editor",
    "sina": "#artibody, .article",
    "stcn": ".txt_con",
    "sxmu": "#vsb_content",
    "thepaper": ".news_txt",
    "toutiao": ".article-content",
    "wechat": "#js_content",
    "xds": ".statuses-text",
    "xinhuanet": "#p-detail",
    "zyyfy": "#z",
}
"""By site, the element that holds the text."""
UNREAD = "script, style, noscript, [style*='display:none'], [style*='display: none']"
DOCUMENTATION = {
    "Debian handbook": ("doc/debian-handbook/html", ("en-US", "zh-CN"), "body", "#banner, #title, .docnav, .toc"),
    "LibreOffice help": ("libreoffice/help", ("en-US", "zh-CN"), "#DisplayArea", ""),
    "GIMP help": ("gimp/2.0/help", ("en", "zh_CN"), "body", ".navheader, .navfooter, .toc"),
}
"""Folder, languages, the element that holds the text, and what in it is navigation."""
SAMPLE = 60
SHORTEST = 100  # characters of text, below which a page is a menu
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
RUN = 4

Marked = tuple[str, str]  # page, its text
Passages = tuple[str, list[str], list[str]]  # page, passages of its text, passages that are not


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the sets")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "pages.json")
    args = parser.parse_args()
    sets: dict[str, Callable[[], Iterable[Any]]] = {
        "trafilatura": lambda: trafilatura_pages(args.folder / "trafilatura" / "tests"),
        "article-extraction-benchmark": lambda: article_pages(args.folder / "article-extraction-benchmark"),
        "Mozilla readability": lambda: mozilla_pages(args.folder / "readability" / "test" / "test-pages"),
        "Chinese news": lambda: chinese_news(args.folder / "GeneralNewsExtractor" / "tests"),
        **{
            name: lambda name=name: documentation(args.folder / "debian" / "usr" / "share", name)
            for name in DOCUMENTATION
        },
    }
    rows = []
    for name, pages in sets.items():
        found = list(pages())
        if not found:
            print(f"{name}: not in {args.folder}", file=sys.stderr)
            continue
        for extractor, extract in {
            "ours": page_text,
            "trafilatura": by_trafilatura,
            "readability-lxml": by_readability,
        }.items():
            start = time.process_time()
            texts = [extract(page[0]) for page in found]
            took = 1000 * (time.process_time() - start) / len(found)
            score = passage_score if len(found[0]) == 3 else run_score
            precision, recall, f1 = score(found, texts)
            rows.append({"set": name, "pages": len(found), "extractor": extractor, "precision": precision})
            rows[-1] |= {"recall": recall, "f1": f1, "ms_per_page": took}
            print(
                f"{name:30} {len(found):4} pages  {extractor:17} precision {precision:.3f}  recall {recall:.3f}  "
                f"F1 {f1:.3f}  {took:6.1f} ms/page",
                flush=True,
            )
    if not rows:
        sys.exit(f"no set in {args.folder}; bench_pages.py --help says how to fetch them")
    with new_file(args.output) as path:
        write_json(path, rows)


def by_trafilatura(page: str) -> str:
    return trafilatura.extract(page, include_comments=False) or ""


def by_readability(page: str) -> str:
    from readability import Document  # make bench-pages puts it on the path; --help needs it not

    try:
        return all_text(Document(page).summary())
    except Exception:  # it raises errors of many kinds for pages without text
        return ""


def all_text(html: str) -> str:
    """All text of a page or a part of one."""
    return "\n".join(page_lines(parse(html).elements, [0]))


def decoded(data: bytes) -> str:
    decoder = Decoder()
    return decoder.decode(data) + decoder.finish()


def trafilatura_pages(folder: Path) -> Iterator[Passages]:
    if not (folder / "evaldata.json").exists():
        return
    for entry in json.loads((folder / "evaldata.json").read_text("utf-8")).values():
        found = next((path for part in ("cache", "eval") if (path := folder / part / entry["file"]).exists()), None)
        if found:
            yield decoded(found.read_bytes()), entry["with"], entry["without"]


def article_pages(folder: Path) -> Iterator[Marked]:
    if not (folder / "ground-truth.json").exists():
        return
    for name, entry in json.loads((folder / "ground-truth.json").read_text("utf-8")).items():
        yield gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()).decode(), entry["articleBody"]


def mozilla_pages(folder: Path) -> Iterator[Marked]:
    for path in sorted(folder.glob("*/expected.html")):
        yield decoded((path.parent / "source.html").read_bytes()), all_text(path.read_text("utf-8"))


def chinese_news(folder: Path) -> Iterator[Marked]:
    for path in sorted(folder.glob("*/*.html")):
        page = decoded(path.read_bytes())
        if path.parent.name in CHINESE_NEWS:
            text = text_of(page, CHINESE_NEWS[path.parent.name], UNREAD)
            if len(text) > SHORTEST:
                yield page, text


def documentation(folder: Path, name: str) -> Iterator[Marked]:
    below, languages, element, navigation = DOCUMENTATION[name]
    for language in languages:
        paths = sorted((folder / below / language).rglob("*.html"))
        random.Random(1).shuffle(paths)
        taken = 0
        for path in paths:
            page = decoded(path.read_bytes())
            text = text_of(page, element, f"script, style, noscript{navigation and ', '}{navigation}")
            if len(text) > SHORTEST and taken < SAMPLE:
                taken += 1
                yield page, text


def text_of(page: str, element: str, without: str) -> str:
    """Text of the first element of a page that a CSS selector names, without others."""
    tree = LexborHTMLParser(re.sub(r"<(a|div|p|span|td|script)\b([^<>]*)/>", r"<\1\2></\1>", page))
    for node in tree.css(without):
        node.decompose()
    for selector in element.split(", "):
        if node := tree.css_first(selector):
            return all_text(f"<html>{node.html}")
    return ""


def passage_score(pages: list[Passages], texts: list[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 over all passages, compared without regard to white space."""
    right = wrong = missing = 0
    for (_, inside, outside), text in zip(pages, texts, strict=True):
        spaced = " ".join(text.split())
        found = sum(" ".join(passage.split()) in spaced for passage in inside)
        right += found
        missing += len(inside) - found
        wrong += sum(" ".join(passage.split()) in spaced for passage in outside)
    return right / max(right + wrong, 1), right / (right + missing), 2 * right / (2 * right + wrong + missing)


def run_score(pages: list[Marked], texts: list[str]) -> tuple[float, float, float]:
    """Mean precision over the pages of which there is any text, mean recall, and F1 of the two."""
    precisions, recalls = [], []
    for (_, expected), text in zip(pages, texts, strict=True):
        true, predicted = runs(expected), runs(text)
        common = (true & predicted).total()
        if predicted:
            precisions.append(common / predicted.total())
        recalls.append(common / true.total() if true else float(not predicted))
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return precision, recall, 2 * precision * recall / (precision + recall)


def runs(text: str) -> Counter[tuple[str, ...]]:
    words = WORD.findall(text)
    return Counter(tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1)) if words)


if __name__ == "__main__":
    main()
