"""Planted near-duplicates: copies of texts that are changed in ways in which real copies differ."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from opencc import OpenCC

HEADER = "首页 > 频道 > 正文　字号：大 中 小　来源：综合整理　责任编辑：小王"
FOOTER = "上一篇　下一篇　返回列表　版权声明：本站部分内容来自网络，如有侵权请联系我们删除。"
_COMMON = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过"


@dataclass(frozen=True)
class Document:
    text: str
    group: int
    """Copies and their original share it."""
    kind: str
    """How it was made: `original`, or one of KINDS."""


def edited(rate: float) -> Callable[[str, random.Random], str]:
    """Change that many of the characters: half are replaced, a quarter goes, a quarter gets one before it."""

    def edit(text: str, rng: random.Random) -> str:
        characters = []
        for character in text:
            if rng.random() >= rate:
                characters.append(character)
                continue
            kind = rng.random()
            if kind < 0.75:
                characters.append(rng.choice(_COMMON))
            if 0.5 <= kind < 0.75:
                characters.append(character)
        return "".join(characters)

    return edit


def reordered(text: str, rng: random.Random) -> str:
    """Paragraphs in another order; a text without any is cut into five at ends of sentences."""
    if "\n" in text.strip():
        paragraphs = text.split("\n")
    else:
        sentences = text.split("。")
        size = -(-len(sentences) // 5)
        paragraphs = ["。".join(sentences[start : start + size]) for start in range(0, len(sentences), size)]
    rng.shuffle(paragraphs)
    return "\n".join(paragraphs)


def traditional(text: str, rng: random.Random) -> str:
    """Simplified Chinese in traditional characters."""
    return _converter().convert(text)


@cache
def _converter() -> OpenCC:
    return OpenCC("s2t")


def wrapped(text: str, rng: random.Random) -> str:
    """Between the navigation and the footer of a site."""
    return f"{HEADER}\n{text}\n{FOOTER}"


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    **{f"{rate} % edited": edited(rate / 100) for rate in (0, 1, 2, 3, 5, 10, 20, 30)},
    "paragraphs reordered": reordered,
    "traditional": traditional,
    "boilerplate around": wrapped,
}


def plant(texts: Sequence[str], copied: int, seed: int) -> list[Document]:
    """`texts`, and one copy of each kind of the first `copied`, shuffled."""
    rng = random.Random(seed)
    documents = [Document(text, group, "original") for group, text in enumerate(texts)]
    documents += [
        Document(change(text, rng), group, kind)
        for kind, change in KINDS.items()
        for group, text in enumerate(texts[:copied])
    ]
    rng.shuffle(documents)
    return documents


@dataclass(frozen=True)
class Scores:
    precision: float
    recall: float
    f1: float


def score(documents: Sequence[Document], removed: Sequence[bool]) -> Scores:
    """Of one planted kind at a time: an original and its copy are one group, and all but one of a group should go."""
    groups: dict[int, list[bool]] = {}
    for document, is_removed in zip(documents, removed, strict=True):
        groups.setdefault(document.group, []).append(is_removed)
    wanted = sum(len(members) - 1 for members in groups.values())
    right = sum(min(sum(members), len(members) - 1) for members in groups.values())
    found = sum(removed)
    precision, recall = right / found if found else 1.0, right / wanted if wanted else 1.0
    return Scores(precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0)


def by_kind(documents: Sequence[Document]) -> Iterator[tuple[str, list[Document]]]:
    """Each kind of copy with all the originals, so that kinds do not find each other."""
    for kind in KINDS:
        yield kind, [document for document in documents if document.kind in ("original", kind)]
