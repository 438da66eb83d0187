"""Errors that are the user's to mend: one clear line, never a traceback."""

import sys
from collections.abc import Callable, Iterator
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


def run(main: Callable[[], None]) -> None:
    """Run a program's `main`; end with one line on stderr and status 1 when the user's input is at fault."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
