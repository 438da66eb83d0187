"""What every program has: a command line with its docstring as help, lines on the terminal, and an orderly end."""

import argparse
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from lib.core.credentials import without_secrets
from lib.core.errors import UserError
from lib.core.places import as_written

ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # in the environment of one of several processes: where it says why it failed
USER_ERROR = "user_error"
STATUS = "status"
_COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# bitsandbytes warns at import on every machine without the optional kernels package. PEFT imports it, so this has to be
# set before; programs import this module before those that train.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def program_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help begins with `description`, a program's docstring, line by line as it is written."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def shown(text: str) -> str:
    """`text` as a terminal may show it: addresses without secrets, characters that would command it as `\\x1b`."""
    return visible(without_secrets(text))


def visible(text: str) -> str:
    """`text` with characters that would command a terminal, or turn its direction around, written as `\\x1b`."""
    return _COMMANDING.sub(lambda match: ascii(match[0])[1:-1], text)


def say(line: str) -> None:
    """Print a line at once; of processes that train together, the first prints it for all."""
    if os.environ.get("RANK", "0") == "0":
        print(shown(line), flush=True)


def run(main: Callable[[], None]) -> None:
    """Run a program's `main`; end with one line on stderr and the error's status when the user's input is at fault.

    One of several processes (`lib.distributed.launcher`) writes down what went wrong instead, and one report is
    printed for all.
    """
    try:
        main()
    except UserError as error:
        _report(shown(as_written(f"error: {error}")), is_user_error=True, status=error.status)
        sys.exit(error.status)
    except Exception:
        if ERROR_FILE not in os.environ:
            raise
        _report(traceback.format_exc().rstrip(), is_user_error=False, status=1)
        sys.exit(1)


def _report(text: str, is_user_error: bool, status: int) -> None:
    if ERROR_FILE not in os.environ:
        print(text, file=sys.stderr)
        return
    now = time.time_ns()
    details = {"text": text, USER_ERROR: is_user_error, STATUS: status}
    details |= {"nanoseconds": now, "timestamp": str(now // 10**9)}
    record = {"message": {"message": text, "extraInfo": details}}
    Path(os.environ[ERROR_FILE]).write_text(json.dumps(record), encoding="utf-8")
