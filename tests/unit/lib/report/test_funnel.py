import re
from itertools import pairwise

import pandas as pd
import pytest

from lib.report.funnel import effect_text, funnel, overview, percent_text, stages

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
    assert found["strip_html"].effect == "3 changed, −200 characters"
    assert found["shared_lines"].effect == "1 dropped, 5 changed, −100 characters"
    held = found["held_out"]
    assert (held.before, held.after, held.documents, held.effect, held.kind) == (
        *(400, 300, 4),
        "1 held out, −100 characters",
        "held",
    )
    assert found["repeat"].effect == "4 added, +300 characters"
    assert [rule for rule, stage in found.items() if stage.is_idle] == ["read", "mask_phone", "weight"]


def test_what_did_nothing_is_folded_away() -> None:
    page = funnel(summary())
    assert page.count("<svg") == 7
    assert "2 rules changed nothing" in page
    assert re.search(r"<details>.*mask phone, left out by weight.*</details>", page)
    assert "no &lt;b&gt;" in page
    assert "<b>" not in page


def test_slices_join_and_stay_within_their_width() -> None:
    kept = re.findall(r'<polygon points="([^"]*)" class="kept">', funnel(summary()))
    corners = [[float(point.split(",")[0]) for point in points.split()] for points in kept]
    for upper, lower in pairwise(corners):
        assert (upper[3], upper[2]) == pytest.approx((lower[0], lower[1]))
    assert all(0 <= x <= 100 for points in corners for x in points)
    assert max(points[1] - points[0] for points in corners) == 100


def test_overview_adds_up_both_splits() -> None:
    page = overview(pd.concat([summary(), summary("books")]))
    assert page.count("70.0 %") == 2
    assert re.findall(r'<td class="number">([^<]*)</td>', page)[:4] == ["10", "9", "1,000", "700"]


def test_nothing_is_called_all() -> None:
    assert (percent_text(1), percent_text(0.9999), percent_text(0)) == ("100 %", "99.9 %", "0.0 %")
    assert effect_text({"characters_in": 5, "characters_out": 5}) == ""
