"""Tables of scores mark the best of each column by its direction."""

import pandas as pd

from lib.report.scores import differences_table, other_figures, part_tables, scores_table, tiles
from lib.report.tables import RichText, Table

SCORES = pd.DataFrame(
    {
        "model": ["base", "pretrained"],
        "text_bits_per_character": [8.0, 6.0],
        "response_bits_per_character": [5.0, 7.0],
        "control_bits_per_character": [None, None],
        "text_characters_per_token": [0.5, 0.75],
    }
)


FIGURES = pd.DataFrame(
    [
        ("base", "text_bits_per_character", "all", 8.0, 7.5, 8.5),
        ("pretrained", "text_bits_per_character", "all", 6.0, 5.5, 6.5),
        ("base", "answer_repetition", "all", 0.25, None, None),
        ("pretrained", "answer_repetition", "all", 0.5, None, None),
        ("pretrained", "answer_repetition", "writing", 0.75, None, None),
    ],
    columns=["model", "figure", "part", "value", "low", "high"],
)
DIFFERENCES = pd.DataFrame(
    [
        ("text_bits_per_character", -2.0, -2.5, -1.5, -25.0, -30.0, -20.0, "better"),
        ("answer_repetition", 0.25, -0.1, 0.6, None, None, None, "cannot tell"),
    ],
    columns=[
        *("figure", "difference", "difference_low", "difference_high"),
        *("percent", "percent_low", "percent_high", "verdict"),
    ],
).assign(model="pretrained", against="base")


def marked(table: Table) -> list[tuple[int, int]]:
    """Row and column of the cells that are marked as the best."""
    return [
        (number, place)
        for number, row in enumerate(table.rows)
        for place, cell in enumerate(row)
        if isinstance(cell, RichText) and cell.is_best
    ]


def test_the_best_of_each_column_is_marked() -> None:
    table = scores_table(SCORES, FIGURES)
    assert [(column.title, column.better) for column in table.columns[1:]] == [
        ("held-out text", "lower"),
        ("responses", "lower"),
        ("characters per token", "higher"),
    ]
    assert marked(table) == [(0, 2), (1, 1), (1, 3)]
    assert table.rows[0][1] == RichText("8", "7.500 to 8.500")


def test_what_is_not_bits_has_a_table_of_its_own() -> None:
    table = other_figures(FIGURES)
    assert table
    assert table.rows == [
        [
            RichText("answers: repetition", "share, lower is better"),
            RichText("0.250", is_best=True),
            "0.500",
        ]
    ]
    assert other_figures(FIGURES[:2]) is None


def test_changes_have_an_interval_and_a_verdict() -> None:
    assert differences_table(DIFFERENCES).rows == [
        ["held-out text after pretraining", "−25.0 %", "[−30.0, −20.0]", "better"],
        ["answers: repetition after pretraining", "+0.250", "[−0.100, +0.600]", "cannot tell"],
    ]


def test_the_best_of_each_part_is_marked() -> None:
    parts = pd.DataFrame(
        {
            "model": ["base", "pretrained"],
            "measured": ["text", "text"],
            "part": ["news", "news"],
            "bits_per_character": [8.0, 6.0],
            "characters": [1_000, 1_000],
        }
    )
    (table,) = part_tables(parts)
    assert table.rows == [["news", "1,000", "8", RichText("6", is_best=True)]]


def test_tiles_say_what_changed() -> None:
    shown = {label: figure for figure, label in tiles(SCORES, DIFFERENCES, 120)}
    assert shown == {
        "bits per character of held-out text after pretraining, better than the base model; lower is better": "−25.0 %",
        "characters per token of held-out text; higher is better": "× 1.50",
        "computing time, all jobs added up": "2.0 min",
    }
    assert tiles(None, None, 0) == []
