"""Instruction sets: files of records, each a conversation or broken, and which conversations are held out."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.core.errors import UserError, about
from lib.files.decoding import chosen_encoding
from lib.files.formats import RECORDS, check_format, choose_formats
from lib.files.limits import EXCERPT_CHARACTERS
from lib.files.records import Record, read_records
from lib.files.text_files import Broken, Seen, TextFile
from lib.settings.corpus import ReadingLimits
from lib.sft.conversations import Conversation, parse
from lib.sft.repairs import UntrainedError
from lib.sources.listing import fetched_source_files, shown_name


@dataclass(frozen=True)
class InstructionRecord:
    """What a set holds at one place."""

    id: str
    """The set and the record's number in it, from 0, broken ones included."""
    source: str
    """Name of the set."""
    file: str
    position: str
    """Where in the file: `line 3`, `record 5`."""
    found: Conversation | Broken

    @property
    def place(self) -> str:
        """File and position, for a message."""
        return f"{self.file}, {self.position}"


@dataclass(frozen=True)
class InstructionSet:
    """One row of the sheet, fetched."""

    name: str
    files: Mapping[str, Path]
    """The files that hold records, by the names that messages give them."""
    formats: Mapping[str, str]
    """The format of each."""
    limits: ReadingLimits
    layout: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The records' names for keys: theirs by ours."""
    weight: float = 1.0
    encoding: str = ""
    """Of the files, by Python's name; guessed when empty."""

    def records(self) -> Iterator[InstructionRecord]:
        """Every record of all files, in order. Raises UserError when a file as a whole cannot be read."""
        number = 0
        for name, path in self.files.items():
            for record in read_records(TextFile(path, Seen(), self.limits, self.encoding), self.formats[name]):
                found = record if isinstance(record, Broken) else self._parsed(record)
                yield InstructionRecord(f"{self.name}:{number:08d}", self.name, name, record.position, found)
                number += 1

    def _parsed(self, record: Record) -> Conversation | Broken:
        try:
            return parse(record.value, self.layout, self.columns)
        except UserError as error:
            try:
                text = json.dumps(record.value, default=str)  # ASCII, as lone surrogates cannot be written otherwise
            except RecursionError:
                text = ""
            kind = "untrained" if isinstance(error, UntrainedError) else "broken"
            return Broken(record.position, str(error), text[:EXCERPT_CHARACTERS], kind)


def opened_sets(
    rows: Sequence[Mapping[str, Any]], downloads: Path, limits: ReadingLimits, stack: ExitStack
) -> list[InstructionSet]:
    """The sets of all `rows` of the sheet, fetched for as long as `stack` is open.

    Format and layout are inferred from the names and keys when a row does not give them; of several files, those whose
    names tell no format of records are left out.
    """
    sets = []
    for row in rows:
        with about(f"instruction set {row['name']}"):
            if row.get("format"):
                check_format(row["format"], RECORDS)
            encoding = chosen_encoding(row["encoding"]) if row.get("encoding") else ""
        files = stack.enter_context(fetched_source_files(row["uri"], downloads, row.get("sha256", "")))
        formats, _ = choose_formats(list(files), row["uri"], row.get("format", ""), RECORDS)
        paths = {shown_name(row["uri"], name, files[name], downloads): Path(files[name]) for name in formats}
        sets.append(
            InstructionSet(
                row["name"],
                paths,
                dict(zip(paths, formats.values(), strict=True)),
                limits,
                row.get("layout", ""),
                row.get("columns", {}),
                row.get("weight", 1.0),
                encoding,
            )
        )
    return sets


def held_out(prompt: str, fraction: float, seed: int) -> bool:
    """Whether a prompt belongs to the validation split: decided by its text alone, so equal prompts stay together."""
    digest = hashlib.sha256(f"{seed}\0{prompt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64
