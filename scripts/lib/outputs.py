"""Outputs that are complete or absent: written under a temporary name, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a path to write to; it becomes `target` when the block ends well and is removed when it does not."""
    partial = _partial(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        yield partial
        os.replace(partial, target)
    finally:
        _remove(partial)


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory; it replaces `target` when the block ends well and is removed when it does not."""
    partial = _partial(target)
    _remove(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
        _make_readable(partial)
        _remove(target)
        os.rename(partial, target)
    finally:
        _remove(partial)


def _make_readable(directory: Path) -> None:
    """Give files the permissions that the user's umask asks for; safetensors writes them for the owner alone."""
    umask = os.umask(0)
    os.umask(umask)
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(0o666 & ~umask)


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
