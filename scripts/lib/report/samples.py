"""Samples of what happened to documents and instructions: cleaned, dropped, masked in training.

A few documents, cut short. Texts are read a row group at a time, so that memory does not grow with the corpus.
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from lib.core.errors import UserError

MAXIMUM_SOURCES = 10
SHARDS_LOOKED_AT = 4  # for documents that cleaning changed
DOCUMENTS_LOOKED_AT = 200  # of each of these
LINES_LOOKED_AT = 500  # of a file of instructions
COMPARED_CHARACTERS = 20_000  # of a document
PASSAGE = 240  # characters of a passage that is compared
CONTEXT = 30  # characters before its first change
SHOWN = 300  # characters of a sample
EACH = 2  # samples of a source and rule
COUNTED = {"minimum_length": "characters", "maximum_blocked_words": "blocked words"}
"""What those filters count that do not measure a share."""

Segments = Sequence[tuple[bool, str]]
"""Text in pieces: whether a piece differs from its counterpart, and the piece."""


@dataclass(frozen=True)
class CleanedSample:
    """The first passage of a document that cleaning changed."""

    document: str
    lengths: tuple[int, int]
    """Of the whole document before and after, in characters."""
    before: Segments
    after: Segments


@dataclass(frozen=True)
class DroppedSample:
    """Something that was left out."""

    rule: str
    document: str
    """Its id, or where it was read."""
    reason: str
    """What the rule measured or found; "" when there is no more to say than the rule."""
    text: str


@dataclass(frozen=True)
class MaskedSample:
    """An example of instructions as training sees it."""

    example: str
    category: str
    spans: Sequence[tuple[bool, str]]
    """Whether a span is trained on, and its text."""


def cleaned_samples(corpus: Path, sources: Sequence[str]) -> list[CleanedSample]:
    """Of each source, the documents among those looked at that cleaning shortened most; `corpus` is its directory."""
    return [sample for source in sources[:MAXIMUM_SOURCES] for sample in _cleaned_of(corpus, source)]


def dropped_samples(corpus: Path, dropped: Sequence[tuple[str, str]]) -> list[DroppedSample]:
    """Samples for each (source, rule) that dropped anything; rules that keep no copy of what they drop have none."""
    rules: dict[str, list[str]] = {}
    for source, rule in dropped:
        rules.setdefault(source, []).append(rule)
    samples: list[DroppedSample] = []
    for source, names in islice(rules.items(), MAXIMUM_SOURCES):
        found: list[DroppedSample] = []
        for sampled in (_quarantined, _dropped_by_rule, _duplicates, _emptied, _contaminated):
            found += sampled(corpus, source, names)
        samples += sorted(found, key=lambda sample: names.index(sample.rule))
    return samples


def skipped_samples(skipped: Path) -> list[DroppedSample]:
    """Instructions that were left out or shortened: a few for each reason; `skipped` is skipped.jsonl."""
    samples: list[DroppedSample] = []
    for record in _records(skipped):
        reason = str(record["reason"])
        # What follows a colon, an id or a number differs from record to record.
        kind = re.sub(r"\d+", "…", reason.split(":")[0].split(" of ")[0])
        if sum(sample.rule == kind for sample in samples) < EACH:
            said = "\n".join(f"{message['role']}: {message['content']}" for message in record.get("messages", ()))
            said = said or str(record.get("record", ""))  # as it was read, when it is broken
            samples.append(DroppedSample(kind, str(record["id"]), reason if reason != kind else "", _cut(said)))
    return samples


def masked_samples(examples: Path, number: int = 3) -> list[MaskedSample]:
    """The first examples of train.jsonl, one for each set and category."""
    found: dict[tuple[str, str], MaskedSample] = {}
    for record in _records(examples):
        key = (str(record["source"]), str(record["category"]))
        if key not in found:
            spans = [(bool(span["trained"]), _cut(span["text"])) for span in record["spans"]]
            found[key] = MaskedSample(str(record["id"]), key[1], spans)
        if len(found) == number:
            break
    return list(found.values())


def compare(before: str, after: str) -> tuple[Segments, Segments] | None:
    """The first passage that differs, as pieces of each text; None when there is no difference.

    Of pieces that differ, invisible characters are written out.
    """
    first = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    if first is None:
        if len(before) == len(after):
            return None
        first = min(len(before), len(after))
    start = max(0, first - CONTEXT)
    old, new = before[start : start + PASSAGE], after[start : start + PASSAGE]
    changes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    pieces = [(tag != "equal", old[i:j], new[k:m]) for tag, i, j, k, m in changes]
    # Where both texts go on, their passages end at different places: what differs there need not be a change.
    is_last_change = sum(is_changed for is_changed, _, _ in pieces) == 1
    if min(len(before), len(after)) > start + PASSAGE and pieces[-1][0] and not is_last_change:
        pieces.pop()
    return (
        _segments([(is_changed, text) for is_changed, text, _ in pieces], start, before),
        _segments([(is_changed, text) for is_changed, _, text in pieces], start, after),
    )


def _segments(pieces: Iterable[tuple[bool, str]], start: int, whole: str) -> Segments:
    """Pieces of a passage from `start` on, with dots where the `whole` text has more."""
    shown = [(is_changed, _visible(text) if is_changed else text) for is_changed, text in pieces if text]
    opening = [(False, "…")] if start else []
    ending = [(False, "…")] if len(whole) > start + PASSAGE else []
    return [*opening, *shown, *ending]


def _visible(text: str) -> str:
    """Spaces, line breaks and invisible characters as signs."""
    return "".join(_sign(character) for character in text)


def _sign(character: str) -> str:
    if character == "\n":
        return "↵\n"
    if character.isspace():
        return "␣"
    return f"⟨U+{ord(character):04X}⟩" if unicodedata.category(character) in ("Cc", "Cf") else character


def _cleaned_of(corpus: Path, source: str) -> list[CleanedSample]:
    for raw in _shards(corpus / "raw" / source)[:SHARDS_LOOKED_AT]:
        clean = corpus / "clean" / source / raw.name
        if not clean.is_file():
            continue
        # A shard's documents stay in order, so those left of the first ones are among the first ones.
        before, after = (_first_documents(path) for path in (raw, clean))
        pairs = before.join(after, on="id", suffix="_after", maintain_order="left")
        pairs = pairs.filter((pl.col("text") != pl.col("text_after")) | (pl.col("length") != pl.col("length_after")))
        pairs = pairs.with_columns(removed=1 - pl.col("length_after") / pl.col("length"))
        samples: list[CleanedSample] = []
        for row in pairs.sort("removed", descending=True, maintain_order=True).iter_rows(named=True):
            if len(samples) < EACH and (passages := compare(row["text"], row["text_after"])):
                samples.append(CleanedSample(row["id"], (row["length"], row["length_after"]), *passages))
        if samples:
            return samples
    return []


def _first_documents(path: Path) -> pl.DataFrame:
    """Columns id, text (its start) and length, of the first documents of a shard."""
    text = pl.col("text")
    shown = text.str.slice(0, COMPARED_CHARACTERS)
    scan = pl.scan_parquet(path).head(DOCUMENTS_LOOKED_AT).select("id", shown, length=text.str.len_chars())
    return _collected(path, scan)


def _quarantined(corpus: Path, source: str, rules: Sequence[str]) -> Iterator[DroppedSample]:
    if "quarantined" in rules:
        for row in _rows(corpus / "quarantine" / f"{source}.parquet", "file", "position", "reason", "text"):
            where = f"{row['file']} {row['position'] or ''}"
            yield DroppedSample("quarantined", where, row["reason"], _cut(row["text"]))


def _dropped_by_rule(corpus: Path, source: str, rules: Sequence[str]) -> Iterator[DroppedSample]:
    """What cleaning dropped: a few documents for each rule, from the first shards that have any."""
    missing = dict.fromkeys(rules, EACH)
    for shard in _shards(corpus / "dropped" / source):
        wanted = [rule for rule, number in missing.items() if number]
        found = pl.scan_parquet(shard).select("rule").with_row_index().filter(pl.col("rule").is_in(wanted))
        few = found.group_by("rule", maintain_order=True).head(EACH).select("index", "rule")
        for index, rule in _collected(shard, few).rows():
            if missing[rule]:
                missing[rule] -= 1
                row = _row(shard, index)
                yield DroppedSample(rule, row["id"], _measured(rule, row["value"]), _cut(row["text"]))


def _measured(rule: str, value: float | None) -> str:
    """What a filter found in a document, with its unit."""
    if value is None:
        return ""
    return f"{value:,.0f} {COUNTED[rule]}" if rule in COUNTED else f"{100 * value:.1f} %"


def _duplicates(corpus: Path, source: str, rules: Sequence[str]) -> Iterator[DroppedSample]:
    for rule in ("exact_duplicate", "near_duplicate"):
        if rule not in rules:
            continue
        path = corpus / "duplicates" / f"{source}.parquet"
        frame = _collected(path, pl.scan_parquet(path).filter(pl.col("rule") == rule).head(EACH))
        for row in frame.iter_rows(named=True):
            reason = f"repeats {row['duplicate_of']}"
            if rule == "near_duplicate":
                reason += f", estimated similarity {row['similarity']:.2f}"
            yield DroppedSample(rule, row["id"], reason, _text_of(corpus, source, row["id"]))


def _emptied(corpus: Path, source: str, rules: Sequence[str]) -> Iterator[DroppedSample]:
    if "shared_lines" in rules:
        rows = (row for shard in _shards(corpus / "emptied" / source) for row in _rows(shard, "id", "text"))
        for row in islice(rows, EACH):
            yield DroppedSample("shared_lines", row["id"], "too short without its shared lines", _cut(row["text"]))


def _contaminated(corpus: Path, source: str, rules: Sequence[str]) -> Iterator[DroppedSample]:
    if "contaminated" in rules:
        columns = ("id", "ngram", "held_out")
        rows = (row for shard in _shards(corpus / "contaminated" / source) for row in _rows(shard, *columns))
        for row in islice(rows, EACH):
            yield DroppedSample("contaminated", row["id"], f"repeats {row['held_out']}", _cut(str(row["ngram"])))


def _text_of(corpus: Path, source: str, document: str) -> str:
    """The start of a cleaned document. Documents are dealt into the shards in turn, by their number."""
    shards = _shards(corpus / "clean" / source)
    shard = shards[int(document.rsplit(":", 1)[1]) % len(shards)]
    found = _collected(shard, pl.scan_parquet(shard).select("id").with_row_index().filter(pl.col("id") == document))
    return _cut(_row(shard, found["index"][0])["text"]) if len(found) else ""


def _row(path: Path, index: int) -> dict[str, Any]:
    """One row of a Parquet file; no more of its texts is read than the row group that it is in."""
    return _collected(path, pl.scan_parquet(path).slice(index, 1)).row(0, named=True)


def _rows(path: Path, *columns: str) -> list[dict[str, Any]]:
    """The first rows of a Parquet file, if it is there."""
    if not path.is_file():
        return []
    return _collected(path, pl.scan_parquet(path).select(columns).head(EACH)).to_dicts()


def _collected(path: Path, scan: pl.LazyFrame) -> pl.DataFrame:
    """What is asked of the Parquet file at `path`; UserError when it cannot be read."""
    try:
        return scan.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}); delete it and run again") from None


def _shards(directory: Path) -> list[Path]:
    """The shards of a source, in order."""
    return sorted(directory.glob("*.parquet"))


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """The first records of a JSON Lines file, if it is there."""
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            for line in islice(file, LINES_LOOKED_AT):
                yield json.loads(line)


def _cut(text: str | None) -> str:
    """The start of a text."""
    text = text or ""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
