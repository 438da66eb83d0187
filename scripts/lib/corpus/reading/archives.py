"""Documents of the files in ZIP and TAR archives.

Files are unpacked one at a time into a scratch folder, under a name of our own, so that nothing an archive says can
reach another place. Archives may hold archives, to a limited depth; all that comes out of one file on disk counts
against one limit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tarfile import TarError

from lib.core.errors import UserError
from lib.core.outputs import scratch_directory, sha256_file
from lib.corpus.reading.tar_archive import tar_members
from lib.corpus.reading.zip_archive import ERRORS, Member, Unreadable, zip_members
from lib.files.compression import BLOCK_BYTES, allowed_bytes, too_large
from lib.files.formats import ARCHIVES, format_of
from lib.files.text_files import Broken, Seen, TextFile
from lib.files.texts import Texts

MAXIMUM_DEPTH = 3
"""Maximum number of archives within each other."""

ReadMember = Callable[[Path, str, Seen], Texts]
"""Documents of the unpacked file at a path, of a format; fills a Seen."""


class TooLarge(UserError):
    """What an archive unpacks to exceeds the limit."""


@dataclass
class Allowance:
    """How much one file on disk may still unpack to."""

    path: Path
    total: int
    used: int = 0

    @classmethod
    def of(cls, file: TextFile) -> "Allowance":
        return cls(file.path, allowed_bytes(file.path))

    def take(self, size: int) -> None:
        """Count `size` bytes; TooLarge when they are too many."""
        self.used += size
        if self.used > self.total:
            raise TooLarge(str(too_large(self.path, self.total)))


def read_archive(
    file: TextFile, file_format: str, member_format: str, scratch: Path, allowance: Allowance, read: ReadMember
) -> Texts:
    """The documents of all files of known formats in an archive, in order, and what cannot be read.

    `member_format` is theirs ("" to infer it from their names), `file_format` one of ARCHIVES. A file that cannot be
    read is a broken record of the archive. Raises UserError when the archive itself cannot be read to its end.
    """
    members = zip_members(file.path) if file_format == "zip" else tar_members(file)
    try:
        with scratch_directory(scratch):
            unpacked = scratch / "member"
            for member in members:
                chosen = _format(member.name, member_format)
                if not chosen:
                    file.seen.left_out["files in archives of no known format"] += 1
                    continue
                if reason := _unpack(member, unpacked, allowance):
                    yield Broken(member.name, reason, "")
                    continue
                seen = Seen()
                yield from _documents(member.name, unpacked, partial(read, unpacked, chosen, seen))
                # Not written over: ext4 waits for the disk when a file is emptied and written again.
                unpacked.unlink()
                file.seen.add_encoding(seen.encoding)
                file.seen.undecodable_bytes += seen.undecodable_bytes
                file.seen.left_out += seen.left_out
    except Unreadable as error:
        raise UserError(f"{file.path}: {error}; fetch it again or take it out") from None
    file.seen.sha256 = file.seen.sha256 or sha256_file(file.path)


def _format(name: str, chosen: str) -> str | None:
    """The format of a member; None for one of no known format and for hidden ones."""
    if any((part[:1] == "." and part.strip(".")) or part == "__MACOSX" for part in name.split("/")):
        return None
    found = format_of(name)
    return found if found in ARCHIVES or not chosen else chosen


def _unpack(member: Member, target: Path, allowance: Allowance) -> str:
    """Write a member's bytes to `target`; why that cannot be done, or ""."""
    if member.stream is None:
        return member.reason
    with target.open("wb") as sink:
        while True:
            try:
                block = member.stream.read(BLOCK_BYTES)
            except (*ERRORS, TarError) as error:
                return f"damaged ({error})"
            if not block:
                return ""
            allowance.take(len(block))
            sink.write(block)


def _documents(name: str, unpacked: Path, read: Callable[[], Texts]) -> Iterator[str | Broken]:
    """The documents of a member, by whose name its broken records are called."""
    try:
        for document in read():
            if isinstance(document, Broken):
                yield Broken(f"{name}, {document.position}", document.reason, document.text, document.kind)
            else:
                # Nothing holds on to a document that is passed on, since it may be tens of megabytes.
                passed_on = [document]
                del document
                yield passed_on.pop()
    except TooLarge:
        raise
    except UserError as error:
        reason = str(error).removeprefix(str(unpacked)).lstrip(":, ")
        yield Broken(name, reason.replace(str(unpacked), name), "")
