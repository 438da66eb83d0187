"""CSV with records that are broken."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.files.csv_records import READS_TOGETHER, BrokenRecord, _Lines, csv_records
from lib.files.limits import TooLong


def records(text: str, maximum: int = 1000) -> list[tuple[int, list[str] | BrokenRecord | TooLong]]:
    return list(csv_records(iter(text.splitlines(keepends=True)), ",", maximum))


@given(st.lists(st.lists(st.text('甲a,"\n ', max_size=5), min_size=1, max_size=3)))
def test_whatever_the_csv_module_writes_is_read(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    assert [row for _, row in records(file.getvalue())] == rows


@pytest.mark.parametrize(
    ("text", "lines", "broken"),
    [
        ('"b,2\nc,3\nd,4\n', [["c", "3"], ["d", "4"]], [1]),
        ('a,1\n"b,2\nc,3\nd,"4"\ne,"5"\n', [["a", "1"], ["c", "3"], ["d", "4"], ["e", "5"]], [2]),
        ('a,"1\nb,2', [["b", "2"]], [1]),
        ('"a" b,1\n"c\nd",2\n', [["c\nd", "2"]], [1]),
        ('"\n"x""\n"y""\n甲\n', [["甲"]], [1, 2, 3]),
    ],
)
@pytest.mark.fault
def test_a_broken_record_costs_nobody_but_itself(text: str, lines: list[list[str]], broken: list[int]) -> None:
    found = records(text)
    assert [row for _, row in found if isinstance(row, list)] == lines
    assert [number for number, row in found if isinstance(row, BrokenRecord)] == broken
    for number, row in found:
        if isinstance(row, BrokenRecord):
            assert row.text == text.splitlines(keepends=True)[number - 1]


def test_lines_that_are_too_long() -> None:
    def lines() -> Iterator[str | TooLong]:
        yield "a\n"
        yield TooLong("bbb", 5000)
        yield '"c\n'
        yield TooLong("ddd", 5000)
        yield "e\n"

    numbers = {number: type(row) for number, row in csv_records(lines(), ",", 1000)}
    assert numbers == {1: list, 2: TooLong, 3: BrokenRecord, 4: TooLong, 5: list}


def test_records_behind_a_few_stray_quotation_marks_are_whole() -> None:
    lines = ["good,1\n", '"\n', *['a","\n'] * 5, "good,2\n", '"whole,\n', '3"\n']
    kept = [row for _, row in csv_records(iter(lines), ",", 1000) if isinstance(row, list)]
    assert kept == [["good", "1"], ["good", "2"], ["whole,\n3"]]


@given(st.lists(st.text('"a,', max_size=6), max_size=12))
@example(['"', *['a","'] * 30])
def test_no_line_is_read_again_and_again(lines: list[str]) -> None:
    read = [0] * len(lines)

    class Counted(str):
        def __new__(cls, text: str, at: int) -> "Counted":
            self = super().__new__(cls, text)
            self.at = at
            return self

    kept = [Counted(f"{line}\n", at) for at, line in enumerate(lines)]
    with pytest.MonkeyPatch.context() as patch:
        original = _Lines.__next__

        def counting(self: _Lines) -> str:
            line = original(self)
            read[line.at] += 1
            return line

        patch.setattr(_Lines, "__next__", counting)
        list(csv_records(iter(kept), ",", 1000))
    assert max(read, default=0) <= READS_TOGETHER + 1
