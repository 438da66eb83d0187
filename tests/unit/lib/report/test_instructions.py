from lib.report.instructions import reading_table, skipped_table
from lib.report.tables import RichText


def test_what_was_read_of_each_set() -> None:
    demo = {"records": 1_200, "broken": {"no answer": 3, "not JSON": 1}, "repaired": {}, "unread_keys": {"note": 7}}
    table = reading_table({"demo": demo})
    assert table.rows == [
        ["demo", "1,200", RichText("4", note="no answer (3), not JSON (1)"), "–", RichText("7", note="note (7)")]
    ]


def test_reasons_that_occurred() -> None:
    counts = {"train": 90, "skipped_too_long": 4, "skipped_weight": 0, "skipped_near_duplicate": 2}
    assert skipped_table(counts).rows == [["too long", "4"], ["near duplicate", "2"]]
