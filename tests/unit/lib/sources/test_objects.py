"""Object stores, with fsspec's store in memory in their place."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from lib.core.errors import UserError
from lib.sources.addresses import fetch
from lib.sources.listing import fetched_source_files

OBJECTS = {"a.txt": b"a", "sub/b.txt": b"b", "sub/c.jsonl": b"c", "sub/../d.txt": b"d"}


class Store(MemoryFileSystem):
    protocol = "s3"
    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").strip("/")


@pytest.fixture
def bucket() -> Iterator[Store]:
    fsspec.register_implementation("s3", Store, clobber=True)
    store = Store()
    for name, content in OBJECTS.items():
        store.pipe_file(f"s3://bucket/{name}", content)
    yield store
    Store.store.clear()
    _registry.pop("s3")


def files(uri: str, downloads: Path) -> dict[str, bytes]:
    with fetched_source_files(uri, downloads, "") as found:
        assert all(Path(path).resolve().is_relative_to(downloads.resolve()) for path in found.values())
        return {name: Path(path).read_bytes() for name, path in found.items()}


def test_an_object_a_folder_and_a_pattern(bucket: Store, tmp_path: Path) -> None:
    assert files("s3://bucket/sub/b.txt", tmp_path) == {"b.txt": b"b"}
    assert files("s3://bucket", tmp_path) == OBJECTS
    assert files("s3://bucket/sub/*.jsonl", tmp_path) == {"c.jsonl": b"c"}
    assert files("s3://bucket/**/*.txt", tmp_path)["sub/b.txt"] == b"b"
    assert list(tmp_path.iterdir()) == []


def test_one_file_for_other_purposes(bucket: Store, tmp_path: Path) -> None:
    assert fetch("s3://bucket/a.txt", tmp_path).read_bytes() == b"a"
    with pytest.raises(UserError, match="s3://bucket holds 4 files; name one of them"):
        fetch("s3://bucket", tmp_path)
    with pytest.raises(UserError, match="sha256 is"):
        fetch("s3://bucket/a.txt", tmp_path, "0" * 64)


def test_mistakes(bucket: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="s3://bucket/none does not exist"):
        files("s3://bucket/none", tmp_path)


@pytest.mark.parametrize(("uri", "package"), [("s3://bucket/a", "s3fs"), ("gs://bucket/a", "gcsfs")])
def test_the_package_that_is_not_installed_is_named(uri: str, package: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"addresses need a package: pip install {package}"):
        files(uri, tmp_path)
