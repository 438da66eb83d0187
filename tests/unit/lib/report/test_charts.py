"""Charts: aligned data, a text alternative, and the library that was tested."""

from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.report import charts
from lib.report.charts import MAXIMUM_POINTS, Chart, Line, library
from lib.report.tables import chart_summary


def test_lines_share_one_axis() -> None:
    data = Chart("t", "step", "loss", [Line("a", [1, 3], [9.0, 8.0]), Line("b", [2, 3], [7.0, 6.0], 1, True)]).data
    assert data["x"] == [1, 2, 3]
    assert [line["y"] for line in data["lines"]] == [[9.0, None, 8.0], [None, 7.0, 6.0]]
    assert [(line["color"], line["dashed"]) for line in data["lines"]] == [(0, False), (1, True)]


def test_long_lines_are_thinned_to_their_ends() -> None:
    count = 10 * MAXIMUM_POINTS + 7
    line = Line("a", range(count), [float(number) for number in range(count)])
    x = Chart("t", "step", "loss", [line]).data["x"]
    assert len(x) == MAXIMUM_POINTS
    assert (x[0], x[-1]) == (0, count - 1)


def test_the_summary_has_first_lowest_and_last() -> None:
    table = chart_summary(Chart("t", "step", "loss", [Line("a", [10, 20, 30], [3.0, 1.5, 2.0]), Line("b", [], [])]))
    assert [column.title for column in table.columns] == ["loss", "first", "lowest", "at step", "last"]
    assert table.rows == [["a", "3", "1.500", "20", "2"]]


def test_the_summary_follows_the_direction() -> None:
    line = Line("a", [10, 20, 30], [3.0, 5.5, 2.0])
    table = chart_summary(Chart("t", "step", "tokens per second", [line], better="higher"))
    assert (table.columns[2].title, table.rows) == ("highest", [["a", "3", "5.500", "20", "2"]])


def test_the_library_is_the_one_that_was_tested() -> None:
    found = library()
    assert found["js"].startswith("/*! https://github.com/leeoniya/uPlot (v1.6.31) */")
    assert "</script" not in found["js"]
    assert ".uplot" in found["css"]


def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "LIBRARY", dict.fromkeys(charts.LIBRARY, "0" * 64))
    with pytest.raises(UserError, match=r"is not uPlot 1.6.31; install the pinned version"):
        library()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "PACKAGE", "no-such-package")
    with pytest.raises(UserError, match="no-such-package, which brings the chart library, is not installed"):
        library()


def test_the_environments_pin_the_library() -> None:
    project = Path(__file__).resolve().parents[4]
    for name in ("requirements.txt", "report.yaml"):
        assert "youplot==1.0.0" in (project / "envs" / name).read_text(encoding="utf-8")
