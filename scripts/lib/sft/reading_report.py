"""What reading an instruction set came to: records set aside, what was mended, keys that nothing reads."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lib.core.errors import UserError
from lib.files.text_files import Broken
from lib.settings.sft import InstructionSettings
from lib.sft.instructions import InstructionRecord

_MAXIMUM_NAMES = 1_000
"""Reasons and keys that are told apart; a file may make up more of them than there is room for."""
_OTHERS = "others"
_SHOWN = 10


class ReadingReport:
    """Counts over the records of one set."""

    def __init__(self, name: str, settings: InstructionSettings) -> None:
        self.records = 0
        self.broken = Counter[str]()
        """Records set aside, by the reason without its numbers."""
        self.repairs = Counter[str]()
        """Records in which something was mended, by kind."""
        self.unread_keys = Counter[str]()
        """Records with a key that nothing reads, by the key."""
        self.uses_tools = False
        """Whether any record has tools, calls of them or their results."""
        self._name = name
        self._settings = settings
        self._first: dict[str, str] = {}

    def add(self, record: InstructionRecord) -> None:
        """One more record; UserError when it is broken and the settings say that the run stops."""
        self.records += 1
        if isinstance(record.found, Broken):
            if record.found.kind != "untrained":
                self.set_aside(record, record.found.reason)
        else:
            self.uses_tools |= record.found.uses_tools
            for kind in record.found.repairs:
                _count(self.repairs, kind)
            for key in record.found.unread_keys:
                _count(self.unread_keys, key)

    def set_aside(self, record: InstructionRecord, reason: str) -> None:
        """A record that was added is not used; UserError when the settings say that the run stops."""
        if self._settings.on_broken_record == "stop":
            raise UserError(f"{record.place}: {reason}; mend it, or set sft.on_broken_record to quarantine")
        kind = _count(self.broken, re.sub(r"\d+", "…", reason))
        self._first.setdefault(kind, f"{record.place}: {reason}")

    def check(self) -> None:
        """Raise UserError when too many records were set aside."""
        broken, share = self.broken.total(), self._settings.maximum_broken_records
        if broken > share * self.records:
            kind, number = self.broken.most_common(1)[0]
            raise UserError(
                f"instruction set {self._name}: {broken:,} of {self.records:,} records are broken, more than "
                f"sft.maximum_broken_records ({share:g}) allows; the most frequent reason ({number:,} times): "
                f"{self._first[kind]}; mend them, see the sheet's columns layout and columns, or raise the setting"
            )

    def facts(self) -> dict[str, Any]:
        """Everything that was counted, for the manifest."""
        return {
            "records": self.records,
            "broken": dict(self.broken.most_common()),
            "repaired": dict(self.repairs.most_common()),
            "unread_keys": dict(self.unread_keys.most_common()),
        }

    def lines(self) -> Iterator[str]:
        """What there is to say about the set, for the log."""
        for kind, number in self.broken.most_common(_SHOWN):
            yield f"set aside: {number:,} of {self.records:,} records; the first one: {self._first[kind]}"
        for what, counts in (("repaired", self.repairs), ("keys that nothing reads", self.unread_keys)):
            if counts:
                yield f"{what}: " + ", ".join(f"{name} ({number:,})" for name, number in counts.most_common(_SHOWN))


def _count(counts: Counter[str], name: str) -> str:
    name = name if name in counts or len(counts) < _MAXIMUM_NAMES else _OTHERS
    counts[name] += 1
    return name
