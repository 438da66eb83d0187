"""How a vocabulary does on held-out text, beside the one that it extends: figures by source, tokens, examples."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tokenizers import Tokenizer

LISTED = 30  # tokens in a list
EXAMPLES = 2  # of every source
EXAMPLE_CHARACTERS = 60

Spans = NDArray[np.int64]
"""First character and the one behind the last of every token, (tokens, 2)."""


@dataclass
class Tally:
    """Sums over the texts of a source."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    chinese_characters: int = 0
    tokens: int = 0
    chinese_tokens: int = 0
    """Tokens that stand for Chinese characters or parts of them."""
    whole_characters: int = 0
    """Characters that are not spread over several tokens."""

    def add(self, text: str, spans: Spans) -> None:
        chinese = np.fromiter(map(is_chinese, text), dtype=np.int64, count=len(text))
        before = np.concatenate([[0], np.cumsum(chinese)])
        self.documents += 1
        self.characters += len(text)
        self.bytes += len(text.encode())
        self.chinese_characters += int(chinese.sum())
        self.tokens += len(spans)
        self.chinese_tokens += int((before[spans[:, 1]] > before[spans[:, 0]]).sum())
        self.whole_characters += int((_tokens_by_character(text, spans) == 1).sum())

    def figures(self) -> dict[str, int | float | None]:
        """Sums and ratios, for a row of a table."""
        return {
            "documents": self.documents,
            "characters": self.characters,
            "bytes": self.bytes,
            "tokens": self.tokens,
            "characters_per_token": _ratio(self.characters, self.tokens),
            "bytes_per_token": _ratio(self.bytes, self.tokens),
            "tokens_per_chinese_character": _ratio(self.chinese_tokens, self.chinese_characters),
            "whole_characters": _ratio(self.whole_characters, self.characters),
        }


@dataclass
class Comparison:
    """Collects what `report` says."""

    base: Tokenizer
    extended: Tokenizer
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    def add(self, source: str, text: str) -> None:
        vocabularies = {"base": self.base, "extended": self.extended}
        for name, tokenizer in vocabularies.items():
            encoding = tokenizer.encode(text, add_special_tokens=False)
            spans = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
            for part in (source, ""):
                self.tallies.setdefault((part, name), Tally()).add(text, spans)
            if name == "extended":
                self.counts.update(encoding.ids)
        if sum(example["source"] == source for example in self.examples) < EXAMPLES and text.strip():
            start = text.strip()[:EXAMPLE_CHARACTERS].split("\n")[0]
            cut = {name: segmented(tokenizer, start) for name, tokenizer in vocabularies.items()}
            self.examples.append({"source": source, "text": start} | cut)

    def report(self) -> dict[str, Any]:
        """Plain values, for JSON: rows by source (the last ones of all together), the new tokens, examples."""
        known = self.base.get_vocab()
        new = {number: token for token, number in self.extended.get_vocab().items() if token not in known}
        spelled = {number: self.extended.decode([number], skip_special_tokens=False) for number in sorted(new)}
        whole = {number: text for number, text in spelled.items() if "\N{REPLACEMENT CHARACTER}" not in text}
        used = [number for number in spelled if self.counts[number]]
        sources = sorted(dict.fromkeys(self.tallies), key=lambda key: (key[0] == "", key[0]))
        covered = sum(len(whole.get(number, "")) * self.counts[number] for number in used)
        characters = self.tallies[sources[-1]].characters if sources else 0
        return {
            "sources": [
                {"source": source or "all", "vocabulary": name, **self.tallies[source, name].figures()}
                for source, name in sources
            ],
            "new_tokens": len(new),
            "new_tokens_used": len(used),
            "new_tokens_used_share": _ratio(len(used), len(new)),
            "characters_in_new_tokens": _ratio(covered, characters),
            "longest": [
                text for _, text in sorted(whole.items(), key=lambda item: (-len(item[1].strip()), item[0]))[:LISTED]
            ],
            "most_frequent": [
                {"token": whole[number], "count": self.counts[number]}
                for number in sorted(whole, key=lambda number: (-self.counts[number], number))[:LISTED]
                if self.counts[number]
            ],
            "examples": self.examples,
        }


def compare(base: Tokenizer, extended: Tokenizer, held_out: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The report on texts, given with their sources."""
    comparison = Comparison(base, extended)
    for source, text in held_out:
        comparison.add(source, text)
    return comparison.report()


def by_vocabulary(report: Mapping[str, Any], source: str = "all") -> dict[str, Mapping[str, Any]]:
    """The rows of a source in a report, by vocabulary."""
    return {row["vocabulary"]: row for row in report["sources"] if row["source"] == source}


def table(report: Mapping[str, Any]) -> pl.DataFrame:
    """The figures by source, one row for each vocabulary."""
    return pl.DataFrame(report["sources"], infer_schema_length=None)


def segmented(tokenizer: Tokenizer, text: str) -> str:
    """`text` with a bar between tokens; behind what is spread over several tokens stands their number."""
    parts: list[list[int]] = []
    for start, end in tokenizer.encode(text, add_special_tokens=False).offsets:
        if parts and start < parts[-1][1]:
            parts[-1][1] = max(end, parts[-1][1])
            parts[-1][2] += 1
        elif end > start:
            parts.append([start, end, 1])
    return "|".join(text[start:end] + (f"({count})" if count > 1 else "") for start, end, count in parts)


@cache
def is_chinese(character: str) -> bool:
    """Whether a character is a Chinese one (Han script)."""
    return unicodedata.name(character, "").startswith("CJK UNIFIED IDEOGRAPH") or character == "〇"


def _tokens_by_character(text: str, spans: Spans) -> NDArray[np.int64]:
    """How many tokens hold each character or a part of it."""
    changes = np.zeros(len(text) + 1, dtype=np.int64)
    np.add.at(changes, spans[:, 0], 1)
    np.add.at(changes, spans[:, 1], -1)
    return np.cumsum(changes)[:-1]


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
