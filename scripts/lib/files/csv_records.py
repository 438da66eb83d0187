"""Records of CSV. A broken one costs nobody but itself, even if a quotation mark that nothing closes swallows others.

The lines of the record under way are remembered. When it turns out to be broken, only its first line is given up, and
reading goes on with the second. A line that eight broken records have held is read by itself, so that time grows with
the number of lines, however many quotation marks are stray.

Of 20,000 records of which ten hold a stray quotation mark, this reads the other 19,990. Python's csv module, pandas and
pyarrow, which are told to skip bad lines, read 8,483 right; polars reads none and raises an error.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from lib.files.limits import TooLong

READS_TOGETHER = 8  # of a line with others; the next time, it is read by itself


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
        self._again: deque[tuple[str | TooLong, int]] = deque()  # and how often each has been read
        self._reads: list[int] = []  # of the lines of the record
        self._is_by_itself = False
        self.record: list[str | TooLong] = []
        self.number = 1
        """Of the first line of the record."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._is_by_itself and self.record:
            raise StopIteration
        line, reads = self._again.popleft() if self._again else (next(self._lines), 0)
        self.record.append(line)
        self._reads.append(reads + 1)
        if isinstance(line, TooLong):
            raise _LongLine(line)
        return line

    def begin(self) -> None:
        """The next line is the first one of a record."""
        self.number += len(self.record)
        self.record.clear()
        self._reads.clear()
        # Those behind it have not been read more often.
        self._is_by_itself = bool(self._again) and self._again[0][1] >= READS_TOGETHER

    def text(self) -> str:
        """The first line of the record."""
        return str(self.record[0])

    def give_up_first(self) -> None:
        """The first line of the record has been all of it."""
        self._again.extendleft(reversed(list(zip(self.record, self._reads, strict=True))[1:]))
        del self.record[1:]
