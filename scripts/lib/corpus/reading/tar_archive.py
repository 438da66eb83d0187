"""Files in a TAR archive, packed or not, read from front to back."""

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lib.corpus.reading.zip_archive import Member, Unreadable
from lib.files.compression import BlockStream
from lib.files.decoding import readable_name
from lib.files.text_files import TextFile

MAXIMUM_HEADER_BYTES = 1 << 20
"""Maximum size of a long name or of other facts about a member; tarfile holds them in memory."""
_FACTS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


def tar_members(file: TextFile) -> Iterator[Member]:
    """The files in the archive, in order; links and devices are counted in file.seen.left_out.

    Raises Unreadable when it is no archive, is damaged or ends early.
    """
    damage: list[str] = []

    class Header(tarfile.TarInfo):
        """Notes what tarfile keeps to itself: that it stopped at a header which it cannot read."""

        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> "Header":
            try:
                info = super().frombuf(buf, encoding, errors)
            except (tarfile.EmptyHeaderError, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
                raise
            except tarfile.HeaderError as error:
                damage.append(str(error))
                raise
            if info.type in _FACTS and info.size > MAXIMUM_HEADER_BYTES:
                raise tarfile.ReadError(f"a header of {info.size:,} bytes")
            return info

    blocks = file.blocks()
    try:
        stream = io.BufferedReader(BlockStream(blocks))
        if not stream.peek(1):
            raise tarfile.ReadError("empty")
        with tarfile.open(
            fileobj=stream, mode="r|", tarinfo=Header, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for info in archive:
                archive.members = []  # type: ignore[attr-defined]  # else it remembers them all
                if info.isfile():
                    yield Member(readable_name(info.name), archive.extractfile(info))
                elif not info.isdir():
                    file.seen.left_out += Counter(["links and devices in archives"])
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Unreadable(f"not a TAR archive, or damaged ({error})") from None
    if damage:
        raise Unreadable(f"damaged ({damage[0]})")
    for _ in blocks:  # to the end, for the checksum
        pass
