"""Outputs that are complete or absent: written under a temporary name, then renamed; JSON files and checksums."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lib.core.errors import UserError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# torch.save keeps the reason to itself: a write failed, the file is shorter than it counted, its stream is broken.
_TORCH_CANNOT_WRITE = re.compile(r"PytorchStreamWriter failed|unexpected pos \d+ vs \d+|iostream error")


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a path to write to; it becomes `target` when the block ends well and is removed when it does not."""
    partial = _partial(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        yield partial
        os.replace(partial, target)
    except Exception as error:
        raise _explained(error, target) from None
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
    except Exception as error:
        raise _explained(error, target) from None
    finally:
        _remove(partial)


@contextmanager
def scratch_directory(path: Path) -> Iterator[Path]:
    """An empty directory for the length of a block; what an interrupted run left there is removed first."""
    _remove(path)
    path.mkdir(parents=True)
    try:
        yield path
    except Exception as error:
        raise _explained(error, path) from None
    finally:
        _remove(path)


def no_room(error: Exception, target: Path) -> UserError | None:
    """What to tell the user if writing `target` failed for want of room. Libraries may tell the number only."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := re.search(r"\(os error (\d+)\)", str(error))):
        number = int(found[1])
    if number is None and isinstance(error, RuntimeError) and _TORCH_CANNOT_WRITE.search(str(error)):
        number = errno.ENOSPC
    if number not in _NO_ROOM:
        return None
    return UserError(f"cannot write {target}: {os.strerror(number)}; make room and run again, nothing is half-written")


def _explained(error: Exception, target: Path) -> Exception:
    return no_room(error, target) or error


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


def read_json(path: Path) -> Any:
    """Parsed JSON of a file that an earlier step made; UserError when it is missing or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run the step that makes it first") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON ({error}); delete it and run again") from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
