import pandas as pd

from lib.report.funnel import funnel, idle_rules, overview, stages
from lib.report.tables import Bar, RichText

COLUMNS = [
    "documents_in documents_changed documents_dropped documents_added documents_out",
    "characters_in characters_removed characters_dropped characters_added characters_out",
]


def summary(source: str = "news") -> pd.DataFrame:
    rows = {
        "quarantined": (12, 0, 2, 0, 10, 1000, 0, 0, 0, 1000),
        "read": (10, 0, 0, 0, 10, 1000, 0, 0, 0, 1000),
        "strip_html": (10, 3, 0, 0, 10, 1000, 200, 0, 0, 800),
        "mask_phone": (10, 0, 0, 0, 10, 800, 0, 0, 0, 800),
        "custom:no_<b>": (10, 0, 4, 0, 6, 800, 0, 300, 0, 500),
        "shared_lines": (6, 5, 1, 0, 5, 500, 50, 50, 0, 400),
        "validation": (1, 0, 0, 0, 1, 100, 0, 0, 0, 100),
        "train": (4, 0, 0, 0, 4, 300, 0, 0, 0, 300),
        "weight": (4, 0, 0, 0, 4, 300, 0, 0, 0, 300),
        "repeat": (4, 0, 0, 4, 8, 300, 0, 0, 300, 600),
    }
    columns = " ".join(COLUMNS).split()
    return pd.DataFrame(
        [{"source": source, "rule": rule, **dict(zip(columns, row, strict=True))} for rule, row in rows.items()]
    )


def test_stages_in_order_with_the_split_as_one() -> None:
    found = {stage.rule: stage for stage in stages(summary())}
    assert list(found) == [
        *("quarantined", "read", "strip_html", "mask_phone", "custom:no_<b>", "shared_lines"),
        *("held_out", "weight", "repeat"),
    ]
    held = found["held_out"]
    assert (held.before, held.after, held.documents, held.held_out) == (400, 300, 4, 1)
    shared = found["shared_lines"]
    assert (shared.dropped, shared.changed) == (1, 5)
    assert found["repeat"].added == 4


def test_a_row_says_what_a_rule_took_and_left() -> None:
    rows = {str(row[0]): list(row[1:]) for row in funnel(summary(), "news").rows}
    assert list(rows) == [
        *("records that cannot be read", "as fetched", "strip html", "no <b>"),
        *("lines that many documents share", "held out for validation", "taken more than once"),
    ]
    assert rows["no <b>"] == ["4", "–", "−300", RichText("500", note="50.0 %"), "6", Bar(0.5, 0.3)]
    assert rows["held out for validation"][0] == RichText("1", note="held out")
    assert rows["taken more than once"][1:3] == [RichText("4", note="added"), "+300"]


def test_rules_that_did_nothing_are_named_apart() -> None:
    assert idle_rules(summary()) == ["mask phone", "left out by weight"]


def test_bars_stay_within_their_cell() -> None:
    for row in funnel(summary(), "news").rows:
        bar = row[-1]
        assert isinstance(bar, Bar)
        assert 0 <= bar.share <= bar.share + bar.lost <= 1.000001


def test_overview_tells_splits_apart() -> None:
    table = overview(pd.concat([summary(), summary("books")]), {"news": "CC0-1.0"})
    assert [row[0] for row in table.rows] == [RichText("news", "CC0-1.0"), RichText("books", "licence not stated")]
    assert list(table.rows[0][1:]) == ["10", "8", "1", "1,000", "600", "100", "70.0 %"]
