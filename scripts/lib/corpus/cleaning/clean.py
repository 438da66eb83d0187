"""Clean documents: one vectorised step after another over all documents of a batch, then rules that drop some.

The steps run in the order of `steps`, as `rewrite` says; cleaning a clean document changes nothing. The user's
own rules follow, once; the rules of `filters` come last.

datatrove 0.10.1 has filters and formatters of the same kind, one document at a time: it cleans 0.23 MB of Chinese in a
CPU second, this 4.06 MB or more (docs/benchmarks.md).
"""

from dataclasses import dataclass
from functools import partial

import polars as pl

from lib.corpus.cleaning import boilerplate, mojibake, normalize, personal_data, pinyin, whitespace
from lib.corpus.cleaning.custom_rules import CustomRule, apply, load_custom_rules
from lib.corpus.cleaning.filters import LENGTH, RULES, Rule, character_shares
from lib.corpus.cleaning.rewrite import Step, StepCounts, rewrite
from lib.corpus.extraction.html_tags import HAS_MARKUP, strip_pages, strip_tags
from lib.corpus.extraction.page_tree import PAGE
from lib.corpus.quality.classifier import Classifier
from lib.settings.corpus import CleaningSettings
from lib.text.hashes import text_hashes
from lib.text.series import count_characters


@dataclass(frozen=True)
class Cleaned:
    """Documents of a shard after cleaning."""

    kept: pl.DataFrame
    """Columns id, text, hash (of the text), with a classifier also quality (its score)."""
    dropped: pl.DataFrame
    """Columns id, rule, value (what the rule measured), text."""
    counts: dict[str, StepCounts]
    """By rule, in the order in which they ran."""


def steps(settings: CleaningSettings) -> list[Step]:
    """The steps that `settings` switch on, in their order.

    Mojibake comes first, since its bytes look like control characters. Spaces come before widths: a Chinese indent is
    then no longer there to be folded, so that most documents need the slower step not at all.
    """
    switched = [
        Step("repair_mojibake", mojibake.has_mojibake, mojibake.repair_mojibake),
        Step("strip_html", lambda: PAGE, partial(strip_pages, kind=settings.page_kind), is_whole=True),
        Step("strip_html", lambda: HAS_MARKUP, strip_tags),
        Step("strip_control", lambda: normalize.HAS_CONTROL, normalize.strip_control),
        # Before indentation goes, which tells where paragraphs begin.
        Step("join_lines", lambda: whitespace.HAS_BROKEN_LINES, whitespace.join_lines),
        Step("collapse_whitespace", lambda: whitespace.HAS_EXCESS_SPACE, whitespace.collapse_whitespace),
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


def clean(documents: pl.DataFrame, settings: CleaningSettings, classifier: Classifier | None = None) -> Cleaned:
    """Clean `documents` (columns id, text) as `settings` say; the `classifier` scores those that all else has left."""
    ids = documents["id"]
    # Series by themselves, not columns of a frame, which would copy the text of a single document again and again.
    texts, counts = rewrite(documents["text"], steps(settings))
    shares = pl.DataFrame()
    dropped = [pl.DataFrame(schema={"id": pl.String, "rule": pl.String, "value": pl.Float64, "text": pl.String})]

    def drop(rule: str, values: pl.Series, passes: pl.Series, changed: int = 0, removed: int = 0) -> None:
        """Keep what `passes`, and count. `changed` and `removed` is what the rule did to documents that pass."""
        nonlocal ids, texts, shares
        counts[rule] = count = StepCounts(
            documents_in=len(texts),
            documents_changed=changed,
            documents_dropped=int((~passes).sum()),
            documents_out=int(passes.sum()),
            characters_in=count_characters(texts) + removed,
            characters_removed=removed,
        )
        if count.documents_dropped:
            gone = texts.filter(~passes)
            count.characters_dropped = count_characters(gone)
            columns = {"id": ids.filter(~passes), "value": values.filter(~passes).cast(pl.Float64), "text": gone}
            dropped.append(pl.DataFrame(columns).select("id", pl.lit(rule).alias("rule"), "value", "text"))
            ids, texts = ids.filter(passes), texts.filter(passes)
            shares = shares.filter(passes) if shares.width else shares
        count.characters_out = count.characters_in - removed - count.characters_dropped

    if settings.custom_rules:
        for name, function in load_custom_rules(settings.custom_rules).items():
            before = texts
            results = _apply(name, function, ids, before, settings.custom_rules)
            texts = results.zip_with(results.is_not_null(), before)
            removed = count_characters(before) - count_characters(texts)
            no_values = pl.repeat(None, len(texts), dtype=pl.Float64, eager=True)
            drop(f"custom:{name}", no_values, results.is_not_null(), int((texts != before).sum()), removed)

    def judge(rule: Rule) -> None:
        values = rule.measure(texts, shares, settings)
        drop(rule.name, values, rule.passes(values, settings))

    judge(LENGTH)
    shares = character_shares(texts, settings.target_script)
    for rule in RULES:
        if rule.is_on(settings):
            judge(rule)
    more = {}
    if classifier:
        scores = pl.Series(classifier.scores(texts))
        passes = scores >= settings.minimum_quality
        drop("minimum_quality", scores, passes)
        more = {"quality": scores.filter(passes)}
    kept = pl.DataFrame({"id": ids, "text": texts, "hash": text_hashes(texts), **more})
    return Cleaned(kept, pl.concat(dropped), counts)


def _apply(name: str, function: CustomRule, ids: pl.Series, texts: pl.Series, path: str) -> pl.Series:
    """What the user's function makes of each document; null for those that it drops."""
    return pl.Series(
        [apply(name, function, text, document, path) for document, text in zip(ids, texts, strict=True)],
        dtype=pl.String,
    )


def clean_texts(texts: list[str], settings: CleaningSettings) -> list[str]:
    """Each text after the steps, whatever the rules would say of it. For tests and for a look at single texts."""
    return rewrite(pl.Series(texts, dtype=pl.String), steps(settings))[0].to_list()
