"""Downloads over HTTP that survive interruptions: partial file, resume, retries, then rename."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import IO, Any

from lib.core.credentials import login, revealed, without_secrets
from lib.core.errors import UserError

ATTEMPTS = 5
FIRST_WAIT = 1.0  # seconds before the second attempt; doubles from one to the next
TIMEOUT = 60.0  # seconds without a byte
PIECE = 1 << 20
REPORT_EVERY = 10.0  # seconds between two lines of progress

HEADERS = {"User-Agent": "snakemake-pipeline", "Accept-Encoding": "identity"}

Report = Callable[[str], None]


class _Interrupted(Exception):
    """The download stopped for a reason that another attempt may not meet."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to something weaker."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise UserError(f"the server redirects to {without_secrets(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(
    url: str, target: Path, *, sha256: str = "", report: Report | None = None, first_wait: float = FIRST_WAIT
) -> Path:
    """Download `url` to `target` and return it; a `target` that is there already is taken as it is.

    The bytes so far lie in `target` + `.partial`. A later call asks for the rest of them when the server can say
    that the file is still the same one (ETag or Last-Modified), or when the caller will check its `sha256`.
    Raises UserError when the server says no, or stays out of reach for several attempts.
    """
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    wait = first_wait
    for attempt in range(1, ATTEMPTS + 1):
        before = partial.stat().st_size if partial.is_file() else 0
        try:
            _continue(url, partial, resume_unseen=bool(sha256), report=report)
            break
        except _Interrupted as error:
            if attempt == ATTEMPTS:
                raise UserError(f"{url}: {error}; tried {ATTEMPTS} times, run again to go on from there") from None
            if partial.is_file() and partial.stat().st_size > before:
                wait = first_wait
            time.sleep(wait)
            wait *= 2
    _validator_file(partial).unlink(missing_ok=True)
    os.replace(partial, target)
    return target


def first_bytes(url: str, count: int) -> bytes | None:
    """Up to `count` bytes from the beginning of what lies at `url`; None if they cannot be had at the first attempt."""
    try:
        request = _request(url, {"Range": f"bytes=0-{count - 1}"})
        with urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT) as response:
            found: bytes = response.read(count)
            return found
    except (UserError, OSError, http.client.HTTPException):
        return None


def _continue(url: str, partial: Path, *, resume_unseen: bool, report: Report | None) -> None:
    """One attempt: append what is missing to `partial`, or start over when the server's file is another one."""
    have = partial.stat().st_size if partial.is_file() else 0
    validator = _read_validator(partial, url)
    if have and not validator and not resume_unseen:
        have = 0
    headers = {}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        with opener.open(_request(url, headers), timeout=TIMEOUT) as response:
            if response.status == 206 and _range_start(response.headers) == have:
                mode = "ab"
            else:
                mode, have = "wb", 0
            _write_validator(partial, url, response.headers)
            length = response.headers.get("Content-Length")
            expected = have + int(length) if length and length.isdigit() else None
            with partial.open(mode) as sink:
                size = _copy(response, sink, have, expected, report)
    except UserError as error:
        raise UserError(f"{url}: {error}") from None
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing lies behind what we have: it is the whole file, or another one; start over
            partial.unlink(missing_ok=True)
            raise _Interrupted("the server refused to go on with a partial download") from None
        if error.code in (408, 425, 429) or error.code >= 500:
            raise _Interrupted(f"the server answers {error.code} {error.reason}") from None
        hint = {
            401: "; it wants a login (~/.netrc)",
            403: "; it may want a login (~/.netrc)",
            404: "; check the address",
        }.get(error.code, "")
        raise UserError(f"{url}: the server answers {error.code} {error.reason}{hint}") from None
    except urllib.error.URLError as error:
        raise _Interrupted(f"cannot be reached ({error.reason})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(f"the connection broke ({error or type(error).__name__})") from None
    if expected is not None and size < expected:
        raise _Interrupted(f"the connection ended after {size:,} of {expected:,} bytes")


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    """A request with all that is secret about it, which no other server gets that the first one redirects to."""
    request = urllib.request.Request(revealed(url), headers=HEADERS | dict(headers))
    for name, value in login(url).items():
        request.add_unredirected_header(name, value)
    return request


def _copy(source: IO[bytes], sink: IO[bytes], size: int, expected: int | None, report: Report | None) -> int:
    """Copy to the end of the stream; returns the size of the whole file so far."""
    last = time.monotonic()
    while piece := source.read(PIECE):
        sink.write(piece)
        size += len(piece)
        if report and time.monotonic() - last > REPORT_EVERY:
            last = time.monotonic()
            report(f"{size / 1e6:,.0f} MB" + (f" of {expected / 1e6:,.0f} MB" if expected else ""))
    return size


def _range_start(headers: Message) -> int | None:
    unit, _, span = (headers.get("Content-Range") or "").partition(" ")
    start = span.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else None


def _validator_file(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _read_validator(partial: Path, url: str) -> str | None:
    try:
        kept = json.loads(_validator_file(partial).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(kept["validator"]) if kept["url"] == url and kept["validator"] else None


def _write_validator(partial: Path, url: str, headers: Message) -> None:
    etag = headers.get("ETag")
    strong = etag if etag and not etag.startswith("W/") else None  # If-Range takes strong validators only (RFC 9110)
    kept = {"url": url, "validator": strong or headers.get("Last-Modified")}
    _validator_file(partial).write_text(json.dumps(kept), encoding="utf-8")
