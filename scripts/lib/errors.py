"""Errors that are the user's to mend: one clear line, never a traceback."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """What was wrong, where (file, line or key), and what to do about it."""


def run(main: Callable[[], None]) -> None:
    """Run a program's `main`; end with one line on stderr and status 1 when the user's input is at fault."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
