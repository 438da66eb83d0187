"""Errors that are the user's to mend: one clear line, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """What was wrong, where (file, line or key), and what to do about it."""


@contextmanager
def about(where: str) -> Iterator[None]:
    """Put `where` (a key or a file) before what a UserError in the block says."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
