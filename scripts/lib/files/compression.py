"""Bytes of a file, unpacked, in blocks: plain, gz, bz2, xz or zst, inferred from the first bytes.

A file is read once, and its checksum is taken on the way. No block is larger than BLOCK_BYTES, however much a few
packed bytes stand for, and a file that unpacks to absurd sizes is refused while it is being read.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from lib.core.errors import UserError

BLOCK_BYTES = 1 << 20
ENDINGS = (".gz", ".bz2", ".xz", ".zst")
FREE_BYTES = 1 << 28
"""A file may unpack to this much whatever its own size: a short one can compress very well."""
MAXIMUM_EXPANSION = 200
"""A larger file may unpack to this many times its own size: more than text does, less than files made to fill disks."""
XZ_MEMORY_BYTES = 1 << 28
"""Maximum memory for unpacking xz; its highest preset needs 65 MB, but a file can ask for 4 GB."""

_GZIP, _BZIP2, _XZ, _ZSTANDARD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"  # first bytes


class HashedFile(io.RawIOBase):
    """A file that is read once, from front to back, and takes its own checksum on the way."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        size = self._file.readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:size])
        return size

    def close(self) -> None:
        self._file.close()
        super().close()

    def sha256(self) -> str:
        """Checksum of the whole file; reads what nobody has read so far."""
        while self.read(BLOCK_BYTES):
            pass
        return self._digest.hexdigest()


class _KeptOpen(io.BufferedReader):
    """Stays open when an unpacker is done with it, since the last bytes below it may still have to be read."""

    def close(self) -> None:
        pass


class BlockStream(io.RawIOBase):
    """Blocks of bytes, one after another, as a file that is read once."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def allowed_bytes(path: Path) -> int:
    """Bytes that the file may unpack to: MAXIMUM_EXPANSION times its size, but FREE_BYTES in any case."""
    return max(FREE_BYTES, MAXIMUM_EXPANSION * path.stat().st_size)


def too_large(path: Path, allowed: int) -> UserError:
    """What to tell the user of a file that unpacks to more than is `allowed`."""
    return UserError(
        f"{path} ({path.stat().st_size:,} bytes) unpacks to more than {allowed:,} bytes, which archives made to fill "
        "disks do; if it is yours, unpack it yourself"
    )


def unpacked_blocks(path: Path, on_end: Callable[[str], None]) -> Iterator[bytes]:
    """Blocks of at most BLOCK_BYTES; calls `on_end` with the checksum of the packed file after the last one.

    Raises UserError for what cannot be read, is cut off or damaged, or unpacks to more than `allowed_bytes`.
    """
    total = 0
    try:
        with HashedFile(path.open("rb", buffering=0)) as raw:
            allowed = allowed_bytes(path)
            for block in _unpacked(_KeptOpen(raw, BLOCK_BYTES)):
                total += len(block)
                if total > allowed:
                    raise too_large(path, allowed)
                yield block
            on_end(raw.sha256())
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path} cannot be read to its end: {reason}; fetch it again or take it out") from None


def is_packed(head: bytes) -> bool:
    """Whether a file that begins with `head` is compressed."""
    return head.startswith((_GZIP, _BZIP2, _XZ, _ZSTANDARD))


def _unpacked(file: io.BufferedReader) -> Iterator[bytes]:
    start = file.peek(6)[:6]
    if start.startswith(_GZIP):
        return _blocks(gzip.GzipFile(fileobj=file).read)
    if start.startswith(_BZIP2):
        return _members(file, bz2.BZ2Decompressor)
    if start.startswith(_XZ):
        return _members(file, lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY_BYTES))
    if start.startswith(_ZSTANDARD):
        return _blocks(pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd").read)
    return _blocks(file.read)


def _blocks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while block := read(BLOCK_BYTES):
        yield block


def _members(
    file: io.BufferedReader, new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
) -> Iterator[bytes]:
    """The concatenated streams that make up a bz2 or xz file, never more than a block of them at a time."""
    decompressor = new()
    data = b""
    while True:
        if decompressor.eof:
            # Zeros between xz streams are padding.
            data = decompressor.unused_data.lstrip(b"\0") or file.read(BLOCK_BYTES).lstrip(b"\0")
            if not data:
                return
            decompressor = new()
        elif decompressor.needs_input:
            data = file.read(BLOCK_BYTES)
            if not data:
                raise EOFError("the compressed data end early")
        else:
            data = b""
        if block := decompressor.decompress(data, BLOCK_BYTES):
            yield block
