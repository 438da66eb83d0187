"""What lies at an address, as far as that is known without fetching it.

Rules watch it in place of the address and its checksum: what has moved, and is the same, runs nothing again.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lib.core.outputs import sha256_file
from lib.core.places import as_written
from lib.sources.addresses import parse
from lib.sources.listing import WATCHED_FILES

KNOWN_BYTES = 1_000_000_000
"""Size up to which the local files of an address are read for their checksums."""
NOTED_BYTES = 1_000_000
"""Size from which a checksum is noted down, so that it is not computed again in each plan."""
NOTES = Path(".snakemake/checksums.jsonl")


@dataclass(frozen=True)
class Origin:
    """An address of the settings or of a sheet."""

    uri: str
    sha256: str = ""
    """Checksum that it must have; empty when any will do."""
    files: Sequence[str] = ()
    """The files there when it is local."""

    @property
    def is_known(self) -> bool:
        """Whether `content` tells all about what is fetched: Snakemake need not look at the files."""
        if not self.files:
            return bool(self.sha256)
        return len(self.files) <= WATCHED_FILES and sum(map(os.path.getsize, self.files)) <= KNOWN_BYTES

    def content(self) -> str:
        """A text that is another one when something else lies here.

        Of a local address, it stands for the names of the files below it and what they hold; of a single file, only the
        ending of the name counts. Of a remote one, it is the checksum. Where neither is known, it is the address.
        """
        if not self.is_known:
            return self.uri
        if not self.files:
            return f"sha256 {self.sha256.lower()}{_ending(self.uri.partition('?')[0])}"
        path = parse(self.uri)
        assert isinstance(path, Path)
        sums = {_name(file, path): _checksum(file) for file in self.files}
        digest = hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()
        # A wrong checksum is for the program to tell.
        wrong = self.sha256 if self.sha256 and [self.sha256.lower()] != list(sums.values()) else ""
        return f"content {digest} {wrong}".strip()


def _name(file: str, address: Path) -> str:
    if address.is_dir():
        return os.path.relpath(file, address)
    return _ending(file) if address.is_file() else as_written(os.path.relpath(file))


def _ending(path: str) -> str:
    """`.jsonl.gz` of a path that ends in it."""
    return "".join(Path(path).suffixes)


def _checksum(file: str) -> str:
    """SHA-256 of a file; that of a large one is looked up among the notes when the file has not changed since."""
    status = os.stat(file)
    if status.st_size < NOTED_BYTES:
        return sha256_file(Path(file))
    key = (os.path.abspath(file), status.st_size, status.st_mtime_ns)
    notes = _notes(NOTES.absolute())
    if key not in notes:
        notes[key] = sha256_file(Path(file))
        NOTES.parent.mkdir(exist_ok=True)
        with NOTES.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([*key, notes[key]]) + "\n")
    return notes[key]


@cache
def _notes(path: Path) -> dict[tuple[str, int, int], str]:
    """Checksums by path, size and time of change."""
    notes = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            file, size, time, checksum = json.loads(line)
        except ValueError:  # half a line, or one that two processes have written at once
            continue
        notes[file, size, time] = checksum
    return notes
