"""Which files the address of a text source stands for: a file, all files in a directory, or those of a glob pattern."""

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.addresses import fetched, files_in, parse
from lib.errors import UserError


def local_source_files(uri: str) -> list[str]:
    """The files that a rule must watch for `uri`: none for an address elsewhere. UserError when a path has no files."""
    address = parse(uri)
    return [str(path) for path in _files(address).values()] if isinstance(address, Path) else []


@contextmanager
def fetched_source_files(uri: str, downloads: Path, sha256: str) -> Iterator[dict[str, Path]]:
    """Fetch what lies at `uri` for the length of a block; yields its files by name, in order."""
    address = parse(uri)
    if isinstance(address, Path) and not address.is_file():
        files = _files(address)
        if sha256:
            raise UserError(f"{uri} stands for {len(files)} files, and a sha256 is for single files; leave sha256 out")
        yield files
    else:
        with fetched(uri, downloads, sha256) as path:
            yield _files(path)


def _files(path: Path) -> dict[str, Path]:
    """Names below `path` when it is a directory, else as they are written."""
    if path.is_file():
        return {path.name: path}
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in files_in(path)}
    else:
        files = {match: Path(match) for match in sorted(glob.glob(str(path), recursive=True)) if Path(match).is_file()}
    if not files:
        raise UserError(f"{path} does not exist or holds no files")
    return files
