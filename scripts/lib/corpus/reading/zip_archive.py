"""Files in a ZIP archive, as they are or as parts of a format that is made of them (EPUB, DOCX)."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from lib.files.decoding import readable_name
from lib.files.limits import TooLong

ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
"""What reading a damaged or encrypted archive raises."""
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1


class Unreadable(Exception):
    """Why a file or a part of it cannot be read."""


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    stream: IO[bytes] | None
    """None when it cannot be read."""
    reason: str = ""
    """Why not."""


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`; Unreadable when it is none."""
    try:
        archive = zipfile.ZipFile(path)
    except ERRORS as error:
        raise Unreadable(f"not a ZIP archive, or damaged ({error})") from None
    with archive:
        yield archive


def read_part(archive: zipfile.ZipFile, name: str, maximum_bytes: int) -> bytes | TooLong:
    """Bytes of one file in `archive`; Unreadable when it is missing or damaged."""
    try:
        info = archive.getinfo(name)
        if info.flag_bits & _ENCRYPTED:
            raise Unreadable(f"{name} is encrypted")
        with archive.open(info) as stream:
            data = stream.read(maximum_bytes + 1)
    except KeyError:
        raise Unreadable(f"{name} is missing") from None
    except ERRORS as error:
        raise Unreadable(f"{name} is damaged ({error})") from None
    return data if len(data) <= maximum_bytes else TooLong("", info.file_size)


def zip_members(path: Path) -> Iterator[Member]:
    """The files in the archive, in order; Unreadable when it is none."""
    with opened(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            name = _name(info)
            try:
                if info.flag_bits & _ENCRYPTED:
                    yield Member(name, None, "encrypted")
                else:
                    with archive.open(info) as stream:
                        yield Member(name, stream)
            except ERRORS as error:
                yield Member(name, None, str(error))


def _name(info: zipfile.ZipInfo) -> str:
    """The member's name. zipfile reads bytes of an unknown encoding as code page 437, and Windows writes its own."""
    if info.flag_bits & _UTF8_NAME or info.orig_filename.isascii():
        return info.filename
    try:
        return readable_name(info.orig_filename.encode("cp437"))
    except UnicodeEncodeError:
        return info.filename
