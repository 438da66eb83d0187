"""What a model knows of the corpus: gaps in held-out text, to be filled with a name.

Names are found by rule: in Chinese who speaks (before 曰, 道 or 说 and a colon or quotation mark) and places (after a
preposition, up to 州, 城, 关 …), elsewhere capitalised words inside a sentence. A question is a stretch of held-out
text, one of these names and what follows it; the other options are names of the same kind and length from the same
text. The model answers with the option that makes name and following text the most likely.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lib.evaluation.items import Item
from lib.evaluation.scorer import Scorer
from lib.text.hashes import checksum

MAXIMUM_CHARACTERS = 2_000_000
"""Maximum number of characters of held-out text that questions are made from."""
BEFORE, AFTER = 120, 20
"""Maximum number of characters before and after a gap."""
MINIMUM_BEFORE = 30
"""Minimum number of characters before a gap: without any context, nothing can be known."""
MINIMUM_OCCURRENCES = 3
OPTIONS = 4
_HAN = "[\u3400-\u9fff]"
_PLACES = "州城郡县关山江河省市镇村"
_KINDS = {
    "person": re.compile(rf"(?<!{_HAN})({_HAN}{{2,3}})(?=(?:曰|说道|说|道)[：:，,“「『])"),
    "place": re.compile(rf"(?<=[至到在往入守攻取于])({_HAN}{{1,2}}[{_PLACES}])(?!{_HAN}?[{_PLACES}])"),
    "word": re.compile(r"(?<=[a-z,;] )([A-Z][a-z]{2,})\b"),
}
_NOT_A_NAMES_END = "笑大叹怒又问答谓乃亦皆俱应对喝叱告哭惊喜急便连"


@dataclass(frozen=True)
class Cloze:
    """A gap in a text."""

    source: str
    document: str
    before: str
    options: tuple[str, ...]
    answer: int
    """Place of the right option."""
    after: str


@dataclass(frozen=True)
class _Gap:
    source: str
    document: str
    kind: str
    name: str
    before: str
    after: str

    @property
    def order(self) -> int:
        return checksum(f"{self.before}\0{self.name}\0{self.after}")


def cloze_questions(texts: Iterable[tuple[str, str]], number: int) -> list[Cloze]:
    """At most `number` questions from (source, text) pairs, the same ones in every run.

    No name is asked for more often than in an eighth of the questions, so that the best guess is not the hero.
    """
    gaps: dict[str, list[_Gap]] = defaultdict(list)
    names: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for source, text in _bounded(texts):
        for kind, name in _names(text):
            names[source][kind].add(name)
            gaps[source] += _gaps(source, text, kind, name)
    chosen: list[Cloze] = []
    asked = Counter[str]()
    for gap in sorted((gap for some in gaps.values() for gap in some), key=lambda one: (one.order, one.name)):
        if len(chosen) == number:
            break
        question = _question(gap, names[gap.source][gap.kind])
        if question and asked[gap.name] < max(number // 8, 1):
            asked[gap.name] += 1
            chosen.append(question)
    return chosen


def cloze_items(scorer: Scorer, questions: Sequence[Cloze]) -> Iterator[Item]:
    """Whether the model fills each gap with the right name."""
    texts = [(question.before, option + question.after) for question in questions for option in question.options]
    nats = scorer.continuations(texts, "options of cloze questions")
    for number, question in enumerate(questions):
        values = nats[number * OPTIONS : (number + 1) * OPTIONS]
        is_right = values.index(min(values)) == question.answer
        yield Item("cloze_accuracy", question.source, question.document, float(is_right))


def _bounded(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    used = 0
    for source, text in texts:
        used += len(text)
        if used > MAXIMUM_CHARACTERS:
            return
        yield source, text


def _names(text: str) -> Iterator[tuple[str, str]]:
    """(kind, name) of the names in a text. What only ever stands before 曰 is more likely a phrase than a name."""
    for kind, pattern in _KINDS.items():
        found = Counter(pattern.findall(text))
        for name, number in sorted(found.items()):
            occurrences = text.count(name)
            is_phrase = kind == "person" and (name[-1] in _NOT_A_NAMES_END or occurrences == number)
            if occurrences >= MINIMUM_OCCURRENCES and not is_phrase:
                yield kind, name


def _gaps(source: str, text: str, kind: str, name: str) -> Iterator[_Gap]:
    document = f"{checksum(text):016x}"
    for match in re.finditer(re.escape(name), text):
        before = text[max(match.start() - BEFORE, 0) : match.start()]
        after = re.split(r"(?<=[。！？.!?\n])", text[match.end() : match.end() + AFTER])[0].rstrip()
        if len(before) >= MINIMUM_BEFORE:
            yield _Gap(source, document, kind, name, before, after)


def _question(gap: _Gap, names: set[str]) -> Cloze | None:
    """The gap with three other names of the same length that do not stand beside it; None when there are too few."""
    beside = gap.before + gap.name + gap.after
    others = [name for name in names if len(name) == len(gap.name) and name != gap.name and name not in beside]
    if len(others) < OPTIONS - 1:
        return None
    others = sorted(others, key=lambda name: checksum(f"{gap.order}\0{name}"))[: OPTIONS - 1]
    options = tuple(sorted([gap.name, *others], key=lambda name: checksum(f"{name}\0{gap.order}")))
    return Cloze(gap.source, gap.document, gap.before, options, options.index(gap.name), gap.after)
