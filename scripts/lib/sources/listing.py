"""Which files the address of a text source stands for: a file, all files in a directory, or those of a glob pattern."""

import glob
import hashlib
import os
import re
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.core.credentials import without_secrets
from lib.core.errors import UserError
from lib.core.places import as_written
from lib.sources.addresses import ObjectAddress, download_folder, fetch, fetched, parse
from lib.sources.hub import HubAddress, fetch_data_set
from lib.sources.objects import fetch_objects
from lib.sources.shared_folders import one_at_a_time

WATCHED_FILES = 1_000
"""Files of one source that a rule names as its inputs; of more, it watches the listing."""
# Snakemake reads braces as wildcards, and writes what it watches in lines of UTF-8.
_NOT_WATCHED = re.compile("[{}\x00-\x1f\x7f\ud800-\udfff]")


def local_source_files(uri: str) -> list[str]:
    """The files that a rule must watch for `uri`: none for an address elsewhere. UserError when a path has no files."""
    address = parse(uri)
    return list(_files(address).values()) if isinstance(address, Path) else []


def can_be_watched(file: str) -> bool:
    """Whether a rule can name the file as its input."""
    return not _NOT_WATCHED.search(file)


def named_inputs(files: Iterable[str]) -> list[str]:
    """The files that a rule names as its inputs: all but those of odd names."""
    return [file for file in files if can_be_watched(file)]


def other_inputs(files: Iterable[str]) -> str:
    """Fingerprint of the files of odd names, which a rule watches as a parameter; empty when there are none."""
    odd = [file for file in files if not can_be_watched(file)]
    return listing_fingerprint(odd) if odd else ""


def listing_fingerprint(files: list[str]) -> str:
    """Hex digest of names, sizes and times of change.

    It is what a rule watches in place of more than WATCHED_FILES files, or of files that it cannot name. A workflow
    engine that looks at each of a million inputs by itself takes minutes for it, whatever it is asked to do.
    """
    digest = hashlib.sha256()
    for file in files:
        status = os.stat(file)
        digest.update(f"{as_written(file)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


@contextmanager
def fetched_source_files(
    uri: str, downloads: Path, sha256: str, default_split: str = "train"
) -> Iterator[dict[str, str]]:
    """Fetch what lies at `uri` for the length of a block; yields its files by name, in order.

    Of a data set of the hub, they are those of `default_split` unless the address says otherwise. Raises UserError at
    the end of the block when local files have changed in it: what was read would be neither the old nor the new text.
    """
    address = parse(uri)
    if isinstance(address, HubAddress) and not address.is_file:
        yield _without_checksum(uri, fetch_data_set(uri, address, default_split), sha256)
    elif isinstance(address, ObjectAddress) and not sha256:
        with download_folder(uri, downloads) as folder:
            with one_at_a_time(folder):
                found = fetch_objects(uri, folder)
            yield {name: str(path) for name, path in found.items()}
    elif isinstance(address, Path):
        files = _files(address)
        before = _states(files)
        if sha256 and address.is_file():
            fetch(uri, downloads, sha256)
        else:
            _without_checksum(uri, files, sha256)
        try:
            yield files
        except Exception:
            _check_unchanged(uri, address, files, before)  # explains more than what came of it
            raise
        _check_unchanged(uri, address, files, before)
    else:
        with fetched(uri, downloads, sha256) as path:
            yield _files(path)


def _without_checksum(uri: str, files: dict[str, str], sha256: str) -> dict[str, str]:
    if sha256:
        raise UserError(f"{uri} stands for {len(files)} files, and a sha256 is for single files; leave sha256 out")
    return files


def _states(files: dict[str, str]) -> "array[int]":
    """Size and time of change of each file; -1 for one that is gone."""
    states = array("q")
    for file in files.values():
        try:
            status = os.stat(file)
            states.extend((status.st_size, status.st_mtime_ns))
        except OSError:
            states.extend((-1, -1))
    return states


def _check_unchanged(uri: str, path: Path, files: dict[str, str], before: "array[int]") -> None:
    """Raise UserError unless the files at `path` are those of before."""
    after = _states(files)
    changed = []
    if after != before:
        pairs = zip(files, before[::2], after[::2], before[1::2], after[1::2], strict=True)
        changed = [name for name, size, new_size, time, new_time in pairs if (size, time) != (new_size, new_time)]
    changed = changed or sorted(_files(path).keys() ^ files.keys())
    if changed:
        raise UserError(
            f"{uri} changed while it was read ({as_written(changed[0])}); run again when nothing writes to it any more"
        )


def shown_name(uri: str, name: str, path: str, downloads: Path) -> str:
    """What messages call the file `name` of `uri`: its path, or the address where downloads come from.

    The path of a download tells a reader nothing, and it differs between machines.
    """
    if not Path(path).is_relative_to(downloads):
        return as_written(path)
    address = without_secrets(uri)
    return address if address.endswith(name) else f"{address}: {name}"


def _files(path: Path) -> dict[str, str]:
    """Paths by names: those below `path` when it is a directory, else as they are written. In order.

    Text instead of Path objects, which take several times the memory; there may be millions.
    """
    if path.is_file():
        return {path.name: str(path)}
    if path.is_dir():
        files = {os.path.relpath(file, path): file for file in _walk(str(path))}
    else:
        matches = glob.glob(str(path), recursive=True)
        files = {as_written(match): match for match in matches if not os.path.isdir(match) and _is_readable_file(match)}
    if not files:
        raise UserError(f"{path} does not exist or holds no files")
    return dict(sorted(files.items()))


def _walk(directory: str) -> Iterator[str]:
    """Files below `directory`, those behind links too; hidden files and folders are left out."""
    waiting, known = [directory], set[str]()
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in known:  # a link to a folder above
            continue
        known.add(real)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        waiting.append(entry.path)
                    elif entry.is_file() or _is_readable_file(entry.path):
                        yield entry.path
        except OSError as error:
            raise UserError(f"{error.filename or folder} cannot be read: {error.strerror}") from None


def _is_readable_file(path: str) -> bool:
    """True; UserError for a link to nothing or something that is no file, which nobody should have to miss."""
    if os.path.isfile(path):
        return True
    what = "is a link to nothing" if os.path.islink(path) else "is neither a file nor a folder"
    raise UserError(f"{path} {what}; mend it or take it out")
