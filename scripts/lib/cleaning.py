"""Clean documents: one vectorised step after another over all documents of a shard, then rules that drop some.

The steps run in the order of `steps`. One can uncover work for an earlier one (`&amp;lt;b&gt;` hides a tag twice over),
so that documents which a step has changed go through all steps again until none finds anything to do. Cleaning a clean
document therefore changes nothing. Each step looks for a trigger first and rewrites only the documents that have one.
The user's own rules follow, once; the rules of `lib.filters` come last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl

from lib import boilerplate, mojibake, normalize, personal_data, pinyin
from lib.custom_rules import CustomRule, apply, load_custom_rules
from lib.filters import LENGTH, RULES, Rule, character_shares
from lib.markup import HAS_MARKUP, replaced, strip_markup
from lib.settings.corpus import CleaningSettings
from lib.shards import count_characters

MAX_ROUNDS = 100  # nobody nests markup this deep by accident; bounds the time that a hostile document can take


@dataclass(frozen=True)
class Step:
    """A rewriting step: `rewrite` is applied to the documents in which the regular expression `trigger` matches."""

    name: str
    trigger: Callable[[], str]
    rewrite: Callable[[pl.Series], pl.Series]
    placeholder: str = ""
    """What it puts in the place of what it finds, if anything."""


@dataclass
class Counts:
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

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Cleaned:
    """Documents of a shard after cleaning."""

    kept: pl.DataFrame
    """Columns id, text."""
    dropped: pl.DataFrame
    """Columns id, rule, value (what the rule measured), text."""
    counts: dict[str, Counts]
    """By rule, in the order in which they ran."""


def steps(settings: CleaningSettings) -> list[Step]:
    """The steps that `settings` switch on, in their order.

    Mojibake comes first, since its bytes look like control characters. Blanks come before widths: a Chinese indent is
    then no longer there to be folded, so that most documents need the slower step not at all.
    """
    switched = [
        Step("repair_mojibake", mojibake.has_mojibake, mojibake.repair_mojibake),
        Step("strip_html", lambda: HAS_MARKUP, strip_markup),
        Step("strip_control", lambda: normalize.HAS_CONTROL, normalize.strip_control),
        Step("collapse_whitespace", lambda: normalize.HAS_EXCESS_BLANKS, normalize.collapse_whitespace),
        Step("unicode_form", normalize.unicode_form_trigger, normalize.unicode_form),
        Step("chinese_variant", lambda: r"\p{Han}", normalize.chinese_variant(settings.chinese_variant)),
        Step("strip_pinyin", lambda: pinyin.HAS_PINYIN, pinyin.strip_pinyin),
        Step("collapse_punctuation", lambda: normalize.HAS_REPEATED_PUNCTUATION, normalize.collapse_punctuation),
        Step("strip_boilerplate", lambda: boilerplate.HAS_BOILERPLATE, boilerplate.strip_boilerplate),
        *(
            Step(f"mask_{kind.name}", partial(getattr, kind, "trigger"), kind.mask, kind.placeholder)
            for kind in personal_data.KINDS
        ),
    ]
    return [step for step in switched if getattr(settings, step.name) not in (False, "unchanged")]


def clean(documents: pl.DataFrame, settings: CleaningSettings) -> Cleaned:
    """Clean `documents` (columns id, text) as `settings` say."""
    texts, counts = _rewrite(documents["text"], steps(settings))
    kept = documents.select("id").with_columns(text=texts)
    dropped = [pl.DataFrame(schema={"id": pl.String, "rule": pl.String, "value": pl.Float64, "text": pl.String})]

    def drop(rule: str, values: pl.Series, passes: pl.Series, changed: int = 0, removed: int = 0) -> None:
        """Divide `kept` by `passes`, and count. `changed` and `removed` is what the rule did to those that pass."""
        nonlocal kept
        gone = kept.filter(~passes)
        counts[rule] = Counts(
            documents_in=len(kept),
            documents_changed=changed,
            documents_dropped=len(gone),
            documents_out=len(kept) - len(gone),
            characters_in=count_characters(kept["text"]) + removed,
            characters_removed=removed,
            characters_dropped=count_characters(gone["text"]),
        )
        counts[rule].characters_out = counts[rule].characters_in - removed - counts[rule].characters_dropped
        dropped.append(gone.select("id", rule=pl.lit(rule), value=values.filter(~passes).cast(pl.Float64), text="text"))
        kept = kept.filter(passes)

    if settings.custom_rules:
        for name, function in load_custom_rules(settings.custom_rules).items():
            before = kept["text"]
            results = _apply(name, function, kept, settings.custom_rules)
            kept = kept.with_columns(text=results.fill_null(before))
            removed = count_characters(before) - count_characters(kept["text"])
            drop(
                f"custom:{name}",
                pl.repeat(None, len(kept), dtype=pl.Float64, eager=True),
                results.is_not_null(),
                int((kept["text"] != before).sum()),
                removed,
            )

    def judge(rule: Rule) -> None:
        values = rule.measure(kept, settings)
        drop(rule.name, values, rule.passes(values, settings))

    judge(LENGTH)
    kept = kept.hstack(character_shares(kept["text"], settings.target_script))
    for rule in RULES:
        if rule.is_on(settings):
            judge(rule)
    return Cleaned(kept.select("id", "text"), pl.concat(dropped), counts)


def _rewrite(texts: pl.Series, steps: list[Step]) -> tuple[pl.Series, dict[str, Counts]]:
    """Texts after all steps, and what each step did."""
    before_all = texts
    everything = pl.int_range(len(texts), dtype=pl.UInt32, eager=True)
    changed = {step.name: pl.repeat(False, len(texts), eager=True) for step in steps}
    removed = dict.fromkeys(changed, 0)
    replacements = dict.fromkeys(changed, 0)
    # The number of the turn in which each text was last changed. A step looks at those changed since its own last turn.
    changed_at = pl.repeat(0, len(texts), dtype=pl.Int32, eager=True)
    turn = 0
    for _ in range(MAX_ROUNDS):
        for step in steps:
            turn += 1
            due = everything if turn <= len(steps) else (changed_at >= turn - len(steps)).arg_true()
            before = texts.gather(due)
            hits = before.str.contains(step.trigger()).arg_true()
            if not len(hits):
                continue
            old = before.gather(hits)
            new = step.rewrite(old)
            differs = (old != new).arg_true()
            if not len(differs):
                continue
            old, new, rows = old.gather(differs), new.gather(differs), due.gather(hits).gather(differs)
            texts = replaced(texts, rows, new)
            changed_at = replaced(changed_at, rows, pl.repeat(turn, len(rows), dtype=pl.Int32, eager=True))
            changed[step.name] = replaced(changed[step.name], rows, pl.repeat(True, len(rows), eager=True))
            removed[step.name] += count_characters(old) - count_characters(new)
            if step.placeholder:
                replacements[step.name] += sum(
                    sign * int(side.str.count_matches(step.placeholder, literal=True).sum())
                    for sign, side in ((1, new), (-1, old))
                )
        if not (changed_at > turn - len(steps)).any():
            break

    counts: dict[str, Counts] = {}
    characters = count_characters(before_all)
    for name, mask in changed.items():
        counts[name] = Counts(
            documents_in=len(texts),
            documents_changed=int(mask.sum()),
            documents_out=len(texts),
            characters_in=characters,
            characters_removed=removed[name],
            characters_out=characters - removed[name],
            replacements=replacements[name],
        )
        characters -= removed[name]
    return texts, counts


def _apply(name: str, function: CustomRule, documents: pl.DataFrame, path: str) -> pl.Series:
    """What the user's function makes of each document; null for those that it drops."""
    return pl.Series(
        [apply(name, function, text, document, path) for document, text in documents.select("id", "text").iter_rows()],
        dtype=pl.String,
    )


def clean_texts(texts: list[str], settings: CleaningSettings) -> list[str]:
    """Each text after the steps, whatever the rules would say of it. For tests and for a look at single texts."""
    return _rewrite(pl.Series(texts, dtype=pl.String), steps(settings))[0].to_list()
