import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from lib.core.outputs import sha256_file
from lib.sources.addresses import download_folder, fetched
from lib.sources.shared_folders import shared
from web_server import Site, serve

BODY = os.urandom(3_000_000)


@pytest.mark.fault
def test_jobs_with_one_address_download_it_once(tmp_path: Path) -> None:
    source = tmp_path / "body"
    source.write_bytes(BODY)
    all_are_here = Barrier(4)

    def read(_: int) -> bytes:
        with fetched(f"{site.url}/data.bin", tmp_path / "downloads", sha256_file(source)) as path:
            all_are_here.wait(timeout=60)
            return path.read_bytes()

    with serve(Site(files={"/data.bin": BODY})) as site, ThreadPoolExecutor(4) as jobs:
        assert list(jobs.map(read, range(4))) == [BODY] * 4
        assert [method for method, _, _ in site.requests] == ["GET"]
    assert not list((tmp_path / "downloads").iterdir())


def test_a_job_that_fails_leaves_others_their_download(tmp_path: Path) -> None:
    with download_folder("https://example.org/a", tmp_path) as folder:
        folder.mkdir()
        (folder / "a").write_bytes(b"1")
        with pytest.raises(MemoryError), download_folder("https://example.org/a", tmp_path):
            raise MemoryError
        with download_folder("https://example.org/a", tmp_path):
            pass
        assert (folder / "a").read_bytes() == b"1"
    assert not list(tmp_path.iterdir())


@pytest.mark.fault
def test_a_killed_job_holds_nothing_up(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    child = os.fork()
    if not child:
        with shared(folder):
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert (tmp_path / "folder.lock").exists()
    with shared(folder) as remove:
        remove()
    assert not list(tmp_path.iterdir())
