"""The corpus as a funnel: what each rule took from a source, and what was left."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from lib.report.html import Html, bar, details, element, join, table

LABELS = {
    "read": "as fetched",
    "quarantined": "records that cannot be read",
    "exact_duplicate": "exact duplicates",
    "near_duplicate": "near-duplicates",
    "shared_lines": "lines that many documents share",
    "held_out": "held out for validation",
    "weight": "left out by weight",
    "max_characters": "beyond the source’s limit",
    "contaminated": "repeats held-out text",
    "repeat": "taken more than once",
}


@dataclass(frozen=True)
class Stage:
    """One rule: characters before and after it, documents after it, and what it did, in words."""

    rule: str
    before: int
    after: int
    documents: int
    effect: str
    kind: str = "lost"
    """What became of the difference: lost, or held (out)."""

    @property
    def is_idle(self) -> bool:
        return not self.effect


def stages(summary: pd.DataFrame) -> list[Stage]:
    """The rows of summary.tsv for one source, in order; the split into two is one stage, which holds text out."""
    rows: dict[str, Mapping[str, int]] = {row["rule"]: dict(row) for _, row in summary.iterrows()}
    found: list[Stage] = []
    for rule, row in rows.items():
        if rule == "validation":
            train = rows["train"]
            split = dict(train)
            split["documents_held_out"] = row["documents_out"]
            split["characters_in"] = train["characters_out"] + row["characters_out"]
            found.append(_stage("held_out", split, "held"))
        elif rule != "train":
            found.append(_stage(rule, row))
    return found


def _stage(rule: str, row: Mapping[str, int], kind: str = "lost") -> Stage:
    return Stage(rule, row["characters_in"], row["characters_out"], row["documents_out"], effect_text(row), kind)


def effect_text(row: Mapping[str, int]) -> str:
    """What a rule did, in words; "" when it did nothing."""
    words = {"documents_dropped": "dropped", "documents_changed": "changed", "documents_added": "added"}
    words["documents_held_out"] = "held out"
    parts = [f"{row[key]:,} {word}" for key, word in words.items() if row.get(key)]
    characters = row["characters_out"] - row["characters_in"]
    if parts and characters:
        parts.append(f"{characters:+,} characters".replace("-", "−"))
    return ", ".join(parts)


def funnel(summary: pd.DataFrame) -> Html:
    """A row for each rule that did something: its name, a slice of the funnel, what is left. The others are named."""
    found = stages(summary)
    shown = [stage for stage in found if not stage.is_idle or stage.rule == "read"]
    idle = [label(stage.rule) for stage in found if stage.is_idle and stage.rule != "read"]
    widest = max((max(stage.before, stage.after) for stage in shown), default=0) or 1
    cells = [cell for stage in shown for cell in _row(stage, widest)]
    header = [element("span", text, class_="head") for text in ("", "", "characters left", "documents left")]
    return join(
        [
            element("div", element("div", *header, *cells, class_="funnel"), class_="scroll"),
            details(f"{len(idle)} rules changed nothing", element("p", ", ".join(idle), class_="note")) if idle else "",
        ]
    )


def overview(summary: pd.DataFrame) -> Html:
    """What was read and what was kept of each source, to train on and to hold out."""
    rows = []
    for source, part in summary.groupby("source", sort=False):
        by_rule = part.set_index("rule")  # the last of which lets through what is trained on
        read, kept = (
            {unit: int(by_rule.loc[rules, f"{unit}_out"].sum()) for unit in ("documents", "characters")}
            for rules in (["read"], ["validation", by_rule.index[-1]])
        )
        share = kept["characters"] / max(read["characters"], 1)
        figures = (read["documents"], kept["documents"], read["characters"], kept["characters"])
        rows.append([str(source), *(f"{number:,}" for number in figures), percent_text(share), bar(share)])
    return table(["source", "documents", "kept", "characters", "kept", "", ""], rows)


def label(rule: str) -> str:
    return LABELS.get(rule, rule.removeprefix("custom:").replace("_", " "))


def percent_text(share: float) -> str:
    """A share as a percentage that is 100 % only for all."""
    return "100 %" if share == 1 else f"{min(100 * share, 99.9):.1f} %"


def _row(stage: Stage, widest: int) -> Iterator[Html]:
    yield element("span", label(stage.rule), element("small", stage.effect), class_="rule")
    yield _slice(stage.before / widest, stage.after / widest, stage.kind)
    yield element("span", f"{stage.after:,}", element("small", percent_text(stage.after / widest)), class_="figure")
    yield element("span", f"{stage.documents:,}", class_="figure")


def _slice(before: float, after: float, kind: str) -> Html:
    """A slice that is `before` wide at its top and `after` at its bottom, of a width of 1, and what falls off it."""
    top, bottom = 50 * before, 50 * after
    shapes = [("kept", [(50 - top, 0), (50 + top, 0), (50 + bottom, 10), (50 - bottom, 10)])]
    if bottom < top:
        shapes += [(kind, [(50 + side * top, 0), (50 + side * bottom, 10), (50 + side * top, 10)]) for side in (-1, 1)]
    polygons = (
        element("polygon", points=" ".join(f"{x:.3f},{y}" for x, y in points), class_=name) for name, points in shapes
    )
    return element("svg", *polygons, **{"viewBox": "0 0 100 10", "preserveAspectRatio": "none", "aria-hidden": "true"})
