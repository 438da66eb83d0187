"""Rewriting steps, applied to all documents of a batch at once until none of them finds anything to do.

One step can uncover work for an earlier one (`&amp;lt;b&gt;` hides a tag twice over), so that documents which a step
has changed go through all steps again. Rewriting a rewritten document therefore changes nothing. Each step looks for a
trigger first and rewrites only the documents that have one, a few megabytes at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from lib.text.chunks import cut, joined, slices
from lib.text.series import beside_blank, content_of, count_characters, replaced, text_of

MAX_ROUNDS = 100  # nobody nests markup this deep by accident; bounds the time that a hostile document can take


@dataclass(frozen=True)
class Step:
    """A rewriting step: `rewrite` is applied to the documents in which the regular expression `trigger` matches."""

    name: str
    """Several steps may share one, under which they are counted together."""
    trigger: Callable[[], str]
    rewrite: Callable[[pl.Series], pl.Series]
    placeholder: str = ""
    """What it puts in the place of what it finds, if anything."""
    is_whole: bool = False
    """Whether it must see a long document as a whole; others see one piece of it after another."""


@dataclass
class StepCounts:
    """What one rule did to documents. Characters: in - removed - dropped = out."""

    documents_in: int
    documents_changed: int = 0
    documents_dropped: int = 0
    documents_out: int = 0
    characters_in: int = 0
    characters_removed: int = 0
    characters_dropped: int = 0
    characters_out: int = 0
    replacements: int = 0
    """Placeholders put in."""

    def __add__(self, other: "StepCounts") -> "StepCounts":
        return StepCounts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


def rewrite(texts: pl.Series, steps: Sequence[Step]) -> tuple[pl.Series, dict[str, StepCounts]]:
    """Texts after all steps, and what each step did, by name.

    A text longer than `PIECE_BYTES` is cut into pieces: what a step would find across the end of one, it does not find.
    """
    ledger = _Ledger(texts, steps)
    done: list[pl.Series] = []
    start = 0
    for some, is_long in slices(texts):
        rows = pl.int_range(start, start + len(some), dtype=pl.UInt32, eager=True)
        done.append((_long if is_long else _in_turns)(some, steps, partial(ledger.note, rows)))
        start += len(some)
    return pl.concat(done), ledger.counts()


class _Ledger:
    """What each step has done so far."""

    def __init__(self, texts: pl.Series, steps: Sequence[Step]) -> None:
        self._texts = len(texts)
        self._characters = count_characters(texts)
        self._changed = {step.name: pl.repeat(False, len(texts), eager=True) for step in steps}
        self._removed = dict.fromkeys(self._changed, 0)
        self._replacements = dict.fromkeys(self._changed, 0)

    def note(self, rows: pl.Series, step: Step, places: pl.Series, old: pl.Series, new: pl.Series) -> None:
        """`step` has made `new` of `old`, which stand at `places` of the texts at `rows`."""
        rows = rows.gather(places)
        self._changed[step.name] = replaced(self._changed[step.name], rows, pl.repeat(True, len(rows), eager=True))
        self._removed[step.name] += count_characters(old) - count_characters(new)
        if step.placeholder:
            self._replacements[step.name] += sum(
                sign * int(side.str.count_matches(step.placeholder, literal=True).sum())
                for sign, side in ((1, new), (-1, old))
            )

    def counts(self) -> dict[str, StepCounts]:
        counts: dict[str, StepCounts] = {}
        characters = self._characters
        for name, changed in self._changed.items():
            counts[name] = StepCounts(
                documents_in=self._texts,
                documents_changed=int(changed.sum()),
                documents_out=self._texts,
                characters_in=characters,
                characters_removed=self._removed[name],
                characters_out=characters - self._removed[name],
                replacements=self._replacements[name],
            )
            characters -= self._removed[name]
        return counts


Note = Callable[[Step, pl.Series, pl.Series, pl.Series], None]
"""Takes down that a step has changed the texts at some places from old to new."""


def _in_turns(texts: pl.Series, steps: Sequence[Step], note: Note) -> pl.Series:
    """Texts after all steps have taken turns until none changes any."""
    everything = pl.int_range(len(texts), dtype=pl.UInt32, eager=True)
    # The number of the turn in which each text was last changed. A step looks at those changed since its own last turn.
    changed_at = pl.repeat(0, len(texts), dtype=pl.Int32, eager=True)
    turn = 0
    for _ in range(MAX_ROUNDS):
        for step in steps:
            turn += 1
            due = everything if turn <= len(steps) else (changed_at >= turn - len(steps)).arg_true()
            looked_at = texts if due is everything else texts.gather(due)
            hits = due.filter(looked_at.str.contains(step.trigger()))
            if not len(hits):
                continue
            old = texts.gather(hits)
            new = step.rewrite(old)
            differs = old != new
            if not differs.any():
                continue
            rows, old, new = hits.filter(differs), old.filter(differs), new.filter(differs)
            texts = replaced(texts, rows, new)
            changed_at = replaced(changed_at, rows, pl.repeat(turn, len(rows), dtype=pl.Int32, eager=True))
            note(step, rows, old, new)
        if not (changed_at > turn - len(steps)).any():
            break
    return texts


def _long(text: pl.Series, steps: Sequence[Step], note: Note) -> pl.Series:
    """One long text after all steps, most of which see a piece at a time."""
    whole = [step for step in steps if step.is_whole]
    for_pieces = [step for step in steps if not step.is_whole]
    content = content_of(text)
    for _ in range(MAX_ROUNDS):
        before = content
        content = _one(content, whole, note)
        content = joined((_one(piece, for_pieces, note), joint) for piece, joint in cut(content))
        if content == before:
            break
    return text_of(content)


def _one(content: bytes, steps: Sequence[Step], note: Note) -> bytes:
    """`_in_turns` for one text, in UTF-8."""
    return content_of(_in_turns(beside_blank(text_of(content)), steps, note))
