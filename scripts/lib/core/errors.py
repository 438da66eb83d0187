"""Errors that are the user's to mend: one clear line, never a traceback."""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.core.places import as_written

ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # in the environment of one of several processes: where it says why it failed
USER_ERROR = "user_error"


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
    """Run a program's `main`; end with one line on stderr and status 1 when the user's input is at fault.

    One of several processes (`lib.launcher`) writes down what went wrong instead, and one report is printed for all.
    """
    try:
        main()
    except UserError as error:
        _report(as_written(f"error: {error}"), is_user_error=True)
        sys.exit(1)
    except Exception:
        if ERROR_FILE not in os.environ:
            raise
        _report(traceback.format_exc().rstrip(), is_user_error=False)
        sys.exit(1)


def _report(text: str, is_user_error: bool) -> None:
    if ERROR_FILE not in os.environ:
        print(text, file=sys.stderr)
        return
    now = time.time_ns()
    details = {"text": text, USER_ERROR: is_user_error, "nanoseconds": now, "timestamp": str(now // 10**9)}
    record = {"message": {"message": text, "extraInfo": details}}
    Path(os.environ[ERROR_FILE]).write_text(json.dumps(record), encoding="utf-8")
