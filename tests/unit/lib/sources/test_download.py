"""Downloads resume, retry, and end with the whole file or one clear line."""

import io
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.sources.download import ATTEMPTS, _SafeRedirects, download
from web_server import Site, serve

BODY = bytes(range(256)) * 100


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(Site(files={"/data.bin": BODY})) as running:
        yield running


def get(site: Site, target: Path, sha256: str | None = None) -> Path:
    return download(f"{site.url}/data.bin", target, sha256=sha256, first_wait=0.001)


def test_whole_file_and_nothing_else_is_left(site: Site, tmp_path: Path) -> None:
    assert get(site, tmp_path / "new" / "data.bin").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["data.bin"]


def test_finished_file_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"finished")
    assert get(site, tmp_path / "data.bin").read_bytes() == b"finished"
    assert not site.requests


@pytest.mark.fault
def test_broken_connection_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    site.cuts = [1000, 2000]
    assert get(site, tmp_path / "data.bin").read_bytes() == BODY
    assert [span for _, _, span in site.requests] == [None, "bytes=1000-", "bytes=3000-"]


@pytest.mark.fault
def test_later_call_goes_on_where_an_earlier_one_stopped(site: Site, tmp_path: Path) -> None:
    site.cuts = [1000] + [0] * (ATTEMPTS - 1)
    with pytest.raises(UserError, match=r"ended after 1,000 of 25,600 bytes; tried 5 times, run again"):
        get(site, tmp_path / "data.bin")
    assert not (tmp_path / "data.bin").exists()
    site.requests.clear()
    assert get(site, tmp_path / "data.bin").read_bytes() == BODY
    assert [span for _, _, span in site.requests] == ["bytes=1000-"]


@pytest.mark.fault
def test_changed_file_is_fetched_from_the_start(site: Site, tmp_path: Path) -> None:
    site.cuts = [1000] + [0] * (ATTEMPTS - 1)
    with pytest.raises(UserError):
        get(site, tmp_path / "data.bin")
    site.etag = '"v2"'
    site.files["/data.bin"] = BODY[::-1]
    assert get(site, tmp_path / "data.bin").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
@pytest.mark.fault
def test_without_a_strong_validator_it_starts_over(site: Site, tmp_path: Path, etag: str | None) -> None:
    site.etag = etag
    site.cuts = [1000]
    assert get(site, tmp_path / "data.bin").read_bytes() == BODY
    assert [span for _, _, span in site.requests] == [None, None]


def test_a_checksum_to_come_stands_in_for_a_validator(site: Site, tmp_path: Path) -> None:
    site.etag = None
    site.cuts = [1000]
    assert get(site, tmp_path / "data.bin", sha256="0" * 64).read_bytes() == BODY
    assert [span for _, _, span in site.requests] == [None, "bytes=1000-"]


@pytest.mark.fault
def test_partial_longer_than_the_file_starts_over(site: Site, tmp_path: Path) -> None:
    (tmp_path / "data.bin.partial").write_bytes(b"x" * (len(BODY) + 1))
    assert get(site, tmp_path / "data.bin", sha256="0" * 64).read_bytes() == BODY


@pytest.mark.fault
def test_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.failures = [503, 429]
    assert get(site, tmp_path / "data.bin").read_bytes() == BODY


@pytest.mark.fault
def test_missing_file_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/other: the server answers 404 Not Found; check the address"):
        download(f"{site.url}/other", tmp_path / "other", first_wait=0.001)
    assert len(site.requests) == 1
    assert list(tmp_path.iterdir()) == []


def test_unreachable_server(tmp_path: Path) -> None:
    with serve(Site()) as site:
        pass
    with pytest.raises(UserError, match=r"cannot be reached .*tried 5 times"):
        download(f"{site.url}/file", tmp_path / "file", first_wait=0.001)


def test_redirect_is_followed(site: Site, tmp_path: Path) -> None:
    site.redirects["/moved"] = f"{site.url}/data.bin"
    assert download(f"{site.url}/moved", tmp_path / "file").read_bytes() == BODY


@pytest.mark.fault
def test_redirect_from_https_to_http_is_refused() -> None:
    request = urllib.request.Request("https://example.org/file")
    with pytest.raises(UserError, match=r"which is not https"):
        _SafeRedirects().redirect_request(request, io.BytesIO(), 302, "", Message(), "http://example.org/file")


def test_report(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.sources.download.REPORT_EVERY", -1.0)
    lines: list[str] = []
    site.files["/data.bin"] = bytes(3_000_000)
    download(f"{site.url}/data.bin", tmp_path / "data.bin", report=lines.append)
    assert lines[-1] == "3 MB of 3 MB"


def test_a_signed_address_is_asked_for_whole_and_told_without_its_secret(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNATURE", "s3cr3t")
    address = f"{site.url}/data.bin?id=1&sig=${{SIGNATURE}}"
    site.cuts = [1000] + [0] * (ATTEMPTS - 1)
    with pytest.raises(UserError) as told:
        download(address, tmp_path / "data.bin", first_wait=0.001)
    assert download(address, tmp_path / "data.bin", first_wait=0.001).read_bytes() == BODY
    assert {path for path, _ in site.asked} == {"/data.bin?id=1&sig=s3cr3t"}
    assert "s3cr3t" not in str(told.value)
    site.files.clear()
    with pytest.raises(UserError, match="404") as told:
        download(address, tmp_path / "other.bin", first_wait=0.001)
    assert "s3cr3t" not in str(told.value)


def test_a_login_goes_to_its_host_alone(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    site.redirects = {"/data.bin": "/elsewhere.bin"}
    site.files["/elsewhere.bin"] = BODY
    assert get(site, tmp_path / "data.bin").read_bytes() == BODY
    assert [(path, login is not None) for path, login in site.asked] == [("/data.bin", True), ("/elsewhere.bin", False)]


def test_what_a_redirect_reveals_is_not_told(tmp_path: Path) -> None:
    request = urllib.request.Request("https://a.example/data.bin?sig=s3cr3t")
    with pytest.raises(UserError, match=r"redirects to http://b\.example/x, which is not https") as told:
        _SafeRedirects().redirect_request(
            request, io.BytesIO(), 302, "Found", Message(), "http://b.example/x?token=s3cr3t"
        )
    assert "s3cr3t" not in str(told.value)
