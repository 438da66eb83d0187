"""Errors that are the user's to mend: one clear line, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """What was wrong, where (file, line or key), and what to do about it."""

    status = 1
    """What a program ends with."""


class DivergedError(UserError):
    """A loss of a training is not a number."""

    status = 65


class OutOfMemoryError(UserError):
    """A training does not fit into the memory of a GPU."""

    status = 66


@contextmanager
def about(where: str) -> Iterator[None]:
    """Put `where` (a key or a file) before what a UserError in the block says."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{where}: {error}") from None
