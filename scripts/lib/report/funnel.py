"""The corpus as a funnel: what each rule took from a source, and what was left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lib.report.tables import (
    NOTHING,
    Bar,
    Cell,
    Column,
    RichText,
    Table,
    number_text,
    share_text,
    text_column,
    with_minus,
)

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
    """One rule: characters before and after it, and what it did to how many documents."""

    rule: str
    before: int
    after: int
    documents: int
    """After it."""
    dropped: int = 0
    changed: int = 0
    added: int = 0
    held_out: int = 0

    @property
    def is_idle(self) -> bool:
        return not (self.dropped or self.changed or self.added or self.held_out)


def stages(summary: pd.DataFrame) -> list[Stage]:
    """The rows of summary.tsv for one source, in order; the split into two is one stage, which holds text out."""
    rows: dict[str, Mapping[str, int]] = {row["rule"]: dict(row) for _, row in summary.iterrows()}
    found: list[Stage] = []
    for rule, row in rows.items():
        if rule == "validation":
            train = rows["train"]
            before = train["characters_out"] + row["characters_out"]
            held_out = row["documents_out"]
            found.append(Stage("held_out", before, train["characters_out"], train["documents_out"], held_out=held_out))
        elif rule != "train":
            done = {what: int(row.get(f"documents_{what}", 0)) for what in ("dropped", "changed", "added")}
            found.append(Stage(rule, row["characters_in"], row["characters_out"], row["documents_out"], **done))
    return found


def funnel(summary: pd.DataFrame, label: str) -> Table:
    """A row for each rule that did something: to how many documents, and what it left."""
    shown = [stage for stage in stages(summary) if not stage.is_idle or stage.rule == "read"]
    widest = max((max(stage.before, stage.after) for stage in shown), default=0) or 1
    columns = [
        text_column("rule, in order"),
        Column("dropped", "documents"),
        Column("changed", "documents"),
        Column("change", "characters"),
        Column("left", "characters"),
        Column("left", "documents"),
        text_column("of all characters"),
    ]
    return Table(label, columns, [_row(stage, widest) for stage in shown])


def idle_rules(summary: pd.DataFrame) -> list[str]:
    """Names, for people, of the rules that changed nothing."""
    return [rule_label(stage.rule) for stage in stages(summary) if stage.is_idle and stage.rule != "read"]


def overview(summary: pd.DataFrame, licenses: Mapping[str, str]) -> Table:
    """What was read and what was kept of each source, to train on and to hold out."""
    rows: list[Sequence[Cell]] = []
    for source, part in summary.groupby("source", sort=False):
        by_rule = part.set_index("rule")  # the last of which lets through what is trained on
        read, train, held_out = (
            {unit: int(by_rule[f"{unit}_out"][rule]) for unit in ("documents", "characters")}
            for rule in ("read", by_rule.index[-1], "validation")
        )
        share = (train["characters"] + held_out["characters"]) / max(read["characters"], 1)
        figures = [part[unit] for unit in ("documents", "characters") for part in (read, train, held_out)]
        name = RichText(str(source), note=licenses.get(str(source)) or "licence not stated")
        rows.append([name, *map(number_text, figures), share_text(share)])
    columns = [
        text_column("source"),
        *(Column(title, unit) for unit in ("documents", "characters") for title in ("read", "to train on", "held out")),
        Column("kept", "of characters"),
    ]
    return Table("What was read and kept of each source", columns, rows)


def rule_label(rule: str) -> str:
    return LABELS.get(rule, rule.removeprefix("custom:").replace("_", " "))


def _row(stage: Stage, widest: int) -> Sequence[Cell]:
    change = stage.after - stage.before
    kept, lost = stage.after / widest, max(-change, 0) / widest
    dropped = RichText(number_text(stage.held_out), note="held out") if stage.held_out else _count(stage.dropped)
    changed = RichText(number_text(stage.added), note="added") if stage.added else _count(stage.changed)
    return [
        rule_label(stage.rule),
        dropped,
        changed,
        with_minus(f"{change:+,}") if change else NOTHING,
        RichText(number_text(stage.after), note=share_text(kept)),
        number_text(stage.documents),
        Bar(kept, lost),
    ]


def _count(number: int) -> str:
    return number_text(number) if number else NOTHING
