import bz2
import contextlib
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.files import compression
from lib.files.compression import BLOCK_BYTES, unpacked_blocks

TEXT = "话说天下大势，分久必合，合久必分。".encode() * 50_000  # 2.5 MB


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


COMPRESSORS = [gzip.compress, bz2.compress, lzma.compress, zstd]


def unpack(path: Path) -> bytes:
    checksums: list[str] = []
    blocks = list(unpacked_blocks(path, checksums.append))
    assert all(0 < len(block) <= BLOCK_BYTES for block in blocks)
    assert checksums == [sha256_file(path)]
    return b"".join(blocks)


@pytest.mark.parametrize("compress", [bytes, *COMPRESSORS])
def test_files_are_unpacked_and_hashed_on_the_way(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a"
    path.write_bytes(compress(TEXT))
    assert unpack(path) == TEXT


@pytest.mark.parametrize("compress", COMPRESSORS)
def test_files_of_several_streams(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a"
    path.write_bytes(compress(b"one ") + compress(TEXT) + compress(b" two"))
    assert unpack(path) == b"one " + TEXT + b" two"


def test_padding_between_xz_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.xz"
    path.write_bytes(lzma.compress(b"a") + bytes(8) + lzma.compress(b"b") + bytes(4))
    assert unpack(path) == b"ab"


def test_skippable_frames_of_zstd(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(zstd(b"a") + b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd(b"b"))
    assert unpack(path) == b"ab"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert unpack(tmp_path / "a") == b""


@pytest.mark.parametrize("compress", COMPRESSORS)
@pytest.mark.parametrize("cut", [5, 100, 0.5])
@pytest.mark.fault
def test_truncated_files_are_named(tmp_path: Path, compress: Callable[[bytes], bytes], cut: float) -> None:
    data = compress(TEXT)
    path = tmp_path / "news.packed"
    path.write_bytes(data[: -cut if isinstance(cut, int) else int(len(data) * cut)])
    with pytest.raises(UserError, match=r"^\S*news.packed cannot be read to its end: .+; fetch it again"):
        unpack(path)


@pytest.mark.parametrize("compress", COMPRESSORS)
@pytest.mark.fault
def test_damaged_files_are_named(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    data = bytearray(compress(TEXT))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "news.packed"
    path.write_bytes(data)
    # zstd has no checksum unless the writer asked for one, so that damage can go unseen there.
    with (
        contextlib.suppress(UserError) if compress is zstd else pytest.raises(UserError, match="cannot be read to its")
    ):
        unpack(path)


@pytest.mark.parametrize("compress", COMPRESSORS)
@pytest.mark.fault
def test_bombs_are_refused_before_they_are_unpacked(
    tmp_path: Path, compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "FREE_BYTES", 2 * BLOCK_BYTES)
    monkeypatch.setattr(compression, "MAXIMUM_EXPANSION", 10)
    path = tmp_path / "bomb"
    path.write_bytes(compress(bytes(20 * BLOCK_BYTES)))
    blocks = unpacked_blocks(path, lambda sha256: None)
    assert len(next(blocks)) + len(next(blocks)) <= 2 * BLOCK_BYTES
    with pytest.raises(UserError, match=r"bomb \([\d,]+ bytes\) unpacks to more than 2,097,152 bytes.*unpack it"):
        list(blocks)
    monkeypatch.setattr(compression, "FREE_BYTES", 20 * BLOCK_BYTES)
    assert len(unpack(path)) == 20 * BLOCK_BYTES


def test_a_file_that_is_not_compressed_is_never_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "FREE_BYTES", 10)
    monkeypatch.setattr(compression, "MAXIMUM_EXPANSION", 1)
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    assert unpack(path) == TEXT
