"""What reading a set came to is counted, and too much of it that is broken ends the run with the reason."""

from typing import Any

import pytest

from lib.core.errors import UserError
from lib.files.text_files import Broken
from lib.settings.sft import InstructionSettings
from lib.sft.conversations import parse
from lib.sft.instructions import InstructionRecord
from lib.sft.reading_report import ReadingReport

GOOD = {"instruction": "问", "output": "答"}


def report(*found: Any, **settings: Any) -> ReadingReport:
    """Of records: objects, or reasons why they are broken."""
    result = ReadingReport("demo", InstructionSettings(**settings))
    for number, one in enumerate(found, 1):
        position = f"line {number}"
        value = Broken(position, one, "") if isinstance(one, str) else parse(one)
        result.add(InstructionRecord(f"demo:{number:08d}", "demo", "set.jsonl", position, value))
    return result


def test_everything_is_counted_by_kind() -> None:
    found = report(
        {**GOOD, "id": 1}, {**GOOD, "output": 2, "id": 3}, "turn 2: the answer is empty", "turn 4: the answer is empty"
    )
    assert found.facts() == {
        "records": 4,
        "broken": {"turn …: the answer is empty": 2},
        "repaired": {"number_as_text": 1},
        "unread_keys": {"id": 2},
    }
    assert list(found.lines()) == [
        "set aside: 2 of 4 records; the first one: set.jsonl, line 3: turn 2: the answer is empty",
        "repaired: number_as_text (1)",
        "keys that nothing reads: id (2)",
    ]


def test_a_share_of_broken_records_ends_the_run() -> None:
    found = [*[GOOD] * 37, "no 'output'", "turn 2: the answer is empty", "turn 3: the answer is empty"]
    report(*found, maximum_broken_records=0.075).check()
    with pytest.raises(UserError) as error:
        report(*found).check()
    assert str(error.value).startswith(
        "instruction set demo: 3 of 40 records are broken, more than sft.maximum_broken_records (0.05) allows; "
        "the most frequent reason (2 times): set.jsonl, line 39: turn 2: the answer is empty; "
    )
    report().check()


def test_a_record_that_is_not_to_be_trained_is_not_broken() -> None:
    found = report(GOOD, on_broken_record="stop", maximum_broken_records=0)
    broken = Broken("line 2", "no answer is to be trained", "", "untrained")
    found.add(InstructionRecord("demo:00000002", "demo", "set.jsonl", "line 2", broken))
    found.check()
    assert found.facts() == {"records": 2, "broken": {}, "repaired": {}, "unread_keys": {}}


def test_the_first_broken_record_may_end_the_run() -> None:
    with pytest.raises(UserError, match=r"set\.jsonl, line 2: no 'output'; .* sft\.on_broken_record to quarantine"):
        report(GOOD, "no 'output'", on_broken_record="stop")


def test_names_without_number_are_counted_together() -> None:
    found = report(*({**GOOD, f"key {number}": 1} for number in range(1500)))
    assert len(found.unread_keys) == 1001
    assert found.unread_keys["others"] == 500
