"""Local addresses count from the project's folder, and messages have them as the settings do."""

from pathlib import Path

import pytest

from lib.core.places import ROOT, as_written, local_path
from lib.sources.addresses import fetch, local_files
from lib.sources.listing import fetched_source_files, listing_fingerprint, local_source_files


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with text, seen from the folder of one of its runs."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("甲")
    (tmp_path / "runs" / "one").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_with_a_folder_of_its_own_finds_what_the_demo_finds(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look() -> tuple[object, ...]:
        files = [local_source_files(uri) for uri in ("data", "data/*.txt", "data/a.txt")]
        assert all(Path(path).read_text() == "甲" for found in files for path in found)
        with fetched_source_files("data/*.txt", Path("work"), "") as named:
            assert Path(named["data/a.txt"]).read_text() == "甲"
        assert fetch("data/a.txt", Path("work")).read_text() == "甲"
        return listing_fingerprint(files[0]), list(named), as_written(f"{local_path('data/a.txt')}, line 3")

    demo = look()
    monkeypatch.chdir("runs/one")
    monkeypatch.setenv(ROOT, "../..")
    assert local_files("data") == ["../../data/a.txt"]
    assert look() == demo == (demo[0], ["data/a.txt"], "data/a.txt, line 3")
    assert local_path(str(project)) == project
