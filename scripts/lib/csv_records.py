"""Records of CSV. A broken one costs nobody but itself, even if a quotation mark that nothing closes swallows others.

The lines of the record under way are remembered. When it turns out to be broken, only its first line is given up, and
reading goes on with the second. No line is read more than twice: one that opens a quotation ends any that was open.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from lib.bounded import TooLong


@dataclass(frozen=True)
class BrokenRecord:
    """Why there is no record, and the line that is given up."""

    reason: str
    text: str


def csv_records(
    lines: Iterator[str | TooLong], delimiter: str, maximum: int
) -> Iterator[tuple[int, list[str] | BrokenRecord | TooLong]]:
    """Each record, or what is wrong with it, with the number of its first line.

    `maximum` is the length of the longest field, in characters.
    """
    source = _Lines(lines)
    csv.field_size_limit(maximum)
    # Strict, since the csv module otherwise swallows whole rows after a stray quotation mark.
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        source.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except _LongLine as error:
            if len(source.record) == 1:
                yield source.number, error.line
            else:
                yield source.number, BrokenRecord("a quotation mark is not closed", source.text())
                source.give_up_first()
        except csv.Error as error:
            yield source.number, BrokenRecord(_reason(error), source.text())
            source.give_up_first()
        else:
            if row:
                yield source.number, row


def _reason(error: csv.Error) -> str:
    reason = str(error)
    if "expected after" in reason:
        return f"{reason}; a field that begins with a quotation mark must be quoted as a whole"
    return f"{reason}; is a quotation mark not closed?"


class _LongLine(Exception):
    """A line that is not kept."""

    def __init__(self, line: TooLong) -> None:
        super().__init__()
        self.line = line


class _Lines:
    """Lines, of which those of the current record can be read again."""

    def __init__(self, lines: Iterator[str | TooLong]) -> None:
        self._lines = lines
        self._again: deque[str | TooLong] = deque()
        self.record: list[str | TooLong] = []
        self.number = 1
        """Of the first line of the record."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.record.append(line)
        if isinstance(line, TooLong):
            raise _LongLine(line)
        return line

    def begin(self) -> None:
        """The next line is the first one of a record."""
        self.number += len(self.record)
        self.record.clear()

    def text(self) -> str:
        """The first line of the record."""
        return str(self.record[0])

    def give_up_first(self) -> None:
        """The first line of the record has been all of it."""
        self._again.extendleft(reversed(self.record[1:]))
        del self.record[1:]
