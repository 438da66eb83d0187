"""Tables of scores mark the best of each column by its direction."""

import pandas as pd

from lib.report.scores import part_tables, scores_table, tiles
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


def marked(table: Table) -> list[tuple[int, int]]:
    """Row and column of the cells that are marked as the best."""
    return [
        (number, place)
        for number, row in enumerate(table.rows)
        for place, cell in enumerate(row)
        if isinstance(cell, RichText) and cell.is_best
    ]


def test_the_best_of_each_column_is_marked() -> None:
    table = scores_table(SCORES)
    assert [(column.title, column.better) for column in table.columns[1:]] == [
        ("held-out text", "lower"),
        ("responses", "lower"),
        ("characters per token", "higher"),
    ]
    assert marked(table) == [(0, 2), (1, 1), (1, 3)]


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
    shown = {label: figure for figure, label in tiles(SCORES, 120)}
    assert shown == {
        "bits per character of held-out text after pretraining, against the base model; lower is better": "−25.0 %",
        "characters per token of held-out text; higher is better": "× 1.50",
        "computing time, all jobs added up": "2.0 min",
    }
    assert tiles(None, 0) == []
