"""Instruction sets: files of conversations, read strictly, and which of them are held out."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.core.errors import UserError, about
from lib.files.records import READERS, read_records, record_format
from lib.sft.conversations import Conversation, parse
from lib.sources.listing import fetched_source_files


@dataclass(frozen=True)
class InstructionSet:
    """One row of the sheet, fetched."""

    name: str
    files: Sequence[Path]
    file_format: str = ""
    layout: str = ""
    weight: float = 1.0

    def conversations(self) -> Iterator[tuple[str, Conversation]]:
        """(place, conversation) of every record; see read_instructions."""
        return read_instructions(self.files, self.file_format, self.layout)


def opened_sets(rows: Sequence[Mapping[str, Any]], downloads: Path, stack: ExitStack) -> list[InstructionSet]:
    """The sets of all `rows` of the sheet, fetched for as long as `stack` is open."""
    sets = []
    for row in rows:
        files = stack.enter_context(fetched_source_files(row["uri"], downloads, row.get("sha256", "")))
        sets.append(
            InstructionSet(
                row["name"],
                [Path(path) for path in files.values()],
                row.get("format", ""),
                row.get("layout", ""),
                row.get("weight", 1.0),
            )
        )
    return sets


def read_instructions(
    paths: Sequence[Path], file_format: str = "", layout: str = ""
) -> Iterator[tuple[str, Conversation]]:
    """(place, conversation) of every record in all files `paths`, in order; a place reads `data/set.jsonl, line 3`.

    Format and layout are told by the names and keys when not given; of several files, those whose names tell no format
    are left out. Raises UserError that names file, line or record, and what is wrong with the first bad record.
    """
    chosen = [path for path in paths if file_format or len(paths) == 1 or record_format(path)]
    if not chosen:
        raise UserError(f"{paths[0].parent} holds no instruction file ({', '.join(READERS)})")
    for path in chosen:
        for place, record in read_records(path, file_format):
            with about(place):
                conversation = parse(record, layout)
            yield place, conversation


def held_out(prompt: str, fraction: float, seed: int) -> bool:
    """Whether a prompt belongs to the validation split: decided by its text alone, so equal prompts stay together."""
    digest = hashlib.sha256(f"{seed}\0{prompt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64
