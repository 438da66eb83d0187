"""A web server on this machine for tests of downloads: files by path, with the failures that real servers have."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Site:
    """What the server holds and how it behaves; `requests` grows with (method, path, Range header)."""

    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """More headers for a path."""
    etag: str | None = '"v1"'
    failures: list[int] = field(default_factory=list)
    """Statuses to answer before anything else, one for each request."""
    cuts: list[int] = field(default_factory=list)
    """For each answer with a body, after how many bytes the connection breaks."""
    missing: dict[str, str] = field(default_factory=dict)
    """For a path that is not there: the X-Error-Code that goes with a part of it, as the Hugging Face hub sends it."""
    redirects: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path with query and Authorization header of each request."""
    url: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    """Run the server for the length of a block; `site.url` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def answer(self, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            site.asked.append((self.path, self.headers.get("Authorization")))
            site.requests.append((self.command, path, self.headers.get("Range")))
            if site.failures:
                self.send_error(site.failures.pop(0))
            elif path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif path not in site.files:
                self.send_missing(path)
            else:
                self.send_file(site.files[path], site.headers.get(path, {}), with_body)

        def send_missing(self, path: str) -> None:
            self.send_response(404)
            for part, code in site.missing.items():
                if part in path:
                    self.send_header("X-Error-Code", code)
                    break
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send_file(self, body: bytes, headers: dict[str, str], with_body: bool) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            etag = headers.get("ETag", site.etag)
            same = self.headers.get("If-Range", etag) == etag
            if wanted and same and int(wanted[1]) >= len(body):
                self.send_error(416)
                return
            start = int(wanted[1]) if wanted and same else 0
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            for name, value in ({"ETag": etag} | headers).items():
                if value is not None:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if with_body:
                rest = body[start:]
                self.wfile.write(rest[: site.cuts.pop(0)] if site.cuts else rest)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
