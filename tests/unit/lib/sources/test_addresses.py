"""Addresses: what they mean, what is fetched, and what each mistake is called."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import UserError
from lib.sources.addresses import HubAddress, ObjectAddress, PypiAddress, WebAddress, fetch, fetched, local_files, parse
from web_server import Site, serve

SCRIPTS = Path(__file__).parents[4] / "scripts"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB_FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"pickle",
    "original/params.json": b"{}",
    "model.Q4_0.gguf": b"GGUF",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class TestParse:
    def test_path(self) -> None:
        assert parse("data/some file.txt") == Path("data/some file.txt")
        assert parse("data/with:colon.txt") == Path("data/with:colon.txt")

    def test_web(self) -> None:
        address = parse("https://example.org/a/b%20c.json.gz?download=true")
        assert address == WebAddress("https://example.org/a/b%20c.json.gz?download=true", "b_c.json.gz")
        assert parse("https://example.org/") == WebAddress("https://example.org/", "download")
        assert parse("https://example.org/..") == WebAddress("https://example.org/..", "download")

    def test_hub(self) -> None:
        assert parse("hf:org/name-1.0@main") == HubAddress("org/name-1.0", "main", None)
        assert parse("hf:org/name@v1/a/b.json") == HubAddress("org/name", "v1", PurePosixPath("a/b.json"))

    def test_data_sets(self) -> None:
        assert parse("hf:org/name@main?config=zh&split=test") == HubAddress("org/name", "main", None, "zh", "test")
        pattern = HubAddress("org/name", "v1", PurePosixPath("data/**/*.jsonl"))
        assert parse("hf:org/name@v1/data/**/*.jsonl") == pattern
        assert [pattern.is_file, HubAddress("org/name", "v1", PurePosixPath("a.json")).is_file] == [False, True]

    def test_objects_and_files(self) -> None:
        assert parse("s3://bucket/a b/*.txt") == ObjectAddress("s3://bucket/a b/*.txt")
        assert parse("gs://bucket") == ObjectAddress("gs://bucket")
        assert parse("file:///data/a%20b.txt") == parse("file:/data/a%20b.txt") == Path("/data/a b.txt")
        assert parse("file:data/a.txt") == Path("data/a.txt")

    def test_pypi(self) -> None:
        assert parse("pypi:some.project==1.0+cpu/a/b.json") == PypiAddress(
            "some.project", "1.0+cpu", PurePosixPath("a/b.json")
        )

    @pytest.mark.parametrize(
        ("uri", "message"),
        [
            ("", "not an address"),
            ("a\nb", "not an address"),
            ("ftp://host/key", r"unknown kind of address 'ftp:'; known forms: a path, https://.*hf:.*pypi:"),
            ("s3:key", "reads s3://bucket/key"),
            ("file://host/a.txt", "reads file:///path/to/file"),
            ("hf:org/name@main?splits=test", r"reads config=name, split=name or config=name&split=name"),
            ("hf:org/name@main?test", r"reads config=name, split=name or config=name&split=name"),
            ("hf:org/name@main/a.json?split=test", "one file has no config and no split"),
            ("https:///file", "a web address reads"),
            ("https://host:port/file", "[Pp]ort"),
            ("hf:org/name", r"reads hf:org/name@revision"),
            ("hf:name@main", r"reads hf:org/name@revision"),
            ("hf:org/../x@main", r"reads hf:org/name@revision"),
            ("hf:org/name@main/../../x", r"must name one file"),
            ("pypi:project/path", r"reads pypi:project==version"),
            ("pypi:project==1.0", r"reads pypi:project==version"),
            ("pypi:--index-url==1.0/file", r"reads pypi:project==version"),
            ("pypi:project==--pre/file", r"reads pypi:project==version"),
            ("pypi:project @ https==1/file", r"reads pypi:project==version"),
            ("pypi:project==1.0//etc/passwd", r"must name one file"),
            ("pypi:project==1.0/a/../../b", r"must name one file"),
            ("pypi:project==1.0/a\\b", r"must name one file"),
        ],
    )
    def test_mistakes(self, uri: str, message: str) -> None:
        with pytest.raises(UserError, match=message):
            parse(uri)

    @given(st.text(st.characters(blacklist_categories=["Cs"])))
    def test_nothing_reaches_pip_as_an_option(self, text: str) -> None:
        try:
            address = parse(f"pypi:{text}")
        except UserError:
            return
        assert isinstance(address, PypiAddress)
        assert not address.project.startswith("-")
        assert all(character.isalnum() or character in "._-" for character in address.project)
        assert not any(character.isspace() for character in address.version)
        assert ".." not in address.path.parts
        assert not address.path.is_absolute()


class TestLocal:
    def test_returned_as_it_is(self, tmp_path: Path) -> None:
        file = tmp_path / "file.txt"
        file.write_bytes(b"text")
        assert fetch(str(file), tmp_path / "unused") == file
        assert fetch(str(file), tmp_path / "unused", sha256(b"text").upper()) == file
        assert fetch(str(tmp_path), tmp_path / "unused") == tmp_path
        assert not (tmp_path / "unused").exists()

    def test_mistakes(self, tmp_path: Path) -> None:
        file = tmp_path / "file.txt"
        file.write_bytes(b"text")
        with pytest.raises(UserError, match="gone does not exist"):
            fetch(str(tmp_path / "gone"), tmp_path)
        with pytest.raises(UserError, match=f"sha256 is {sha256(b'text')}, not {'0' * 64}"):
            fetch(str(file), tmp_path, "0" * 64)
        with pytest.raises(UserError, match="is a directory, and a sha256 is for single files"):
            fetch(str(tmp_path), tmp_path, "0" * 64)
        assert file.read_bytes() == b"text"

    def test_local_files(self, tmp_path: Path) -> None:
        for name in ("b.json", "a.safetensors", "sub/c.json", ".hidden/d.json", "e.bin"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        found = local_files(str(tmp_path), ["*.json", "*.safetensors"])
        assert found == [str(tmp_path / name) for name in ("a.safetensors", "b.json", "sub/c.json")]
        with pytest.raises(UserError, match=r"gone\.json does not exist"):
            local_files("gone.json")
        assert local_files("hf:org/name@main") == []


class TestWeb:
    @pytest.fixture
    def site(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with serve(Site(files={"/text.json": b"[]"})) as running:
            yield running

    def test_fetch(self, site: Site, tmp_path: Path) -> None:
        path = fetch(f"{site.url}/text.json?x=1", tmp_path, sha256(b"[]"))
        assert path == tmp_path / "text.json"
        assert path.read_bytes() == b"[]"

    def test_http_needs_a_checksum(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="http: address needs a sha256"):
            fetch(f"{site.url}/text.json", tmp_path)
        assert not site.requests

    @pytest.mark.fault
    def test_wrong_file_is_not_kept(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=f"sha256 is {sha256(b'[]')}, not {'1' * 64}"):
            fetch(f"{site.url}/text.json", tmp_path, "1" * 64)
        assert list(tmp_path.iterdir()) == []

    def test_downloads_go_when_they_have_served(self, site: Site, tmp_path: Path) -> None:
        with fetched(f"{site.url}/text.json", tmp_path, sha256(b"[]")) as path:
            assert path.read_bytes() == b"[]"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.fault
    def test_downloads_stay_when_the_job_dies(self, site: Site, tmp_path: Path) -> None:
        for _ in range(2):
            with pytest.raises(MemoryError), fetched(f"{site.url}/text.json", tmp_path, sha256(b"[]")):
                raise MemoryError
        assert len(site.requests) == 1

    def test_downloads_go_when_their_content_is_wrong(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(UserError), fetched(f"{site.url}/text.json", tmp_path, sha256(b"[]")):
            raise UserError("not what it should be")
        assert list(tmp_path.iterdir()) == []


class TestPypi:
    @pytest.fixture
    def index(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder of packages that the user's own pip settings name instead of an index."""
        folder = tmp_path / "index"
        folder.mkdir()
        information = "some_project-1.0.dist-info"
        with zipfile.ZipFile(folder / "some_project-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr("some_project/data.json", b"[1]")
            wheel.writestr("some_project/other.json", b"[2]")
            wheel.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: some-project\nVersion: 1.0\n")
            wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{information}/RECORD", "")
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
        return folder

    def test_fetch(self, index: Path, tmp_path: Path) -> None:
        uri = "pypi:some-project==1.0/some_project/data.json"
        path = fetch(uri, tmp_path / "new", sha256(b"[1]"))
        assert path.read_bytes() == b"[1]"
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["data.json"]

    @pytest.mark.parametrize(
        ("uri", "message"),
        [
            ("pypi:some-project==1.0/some_project/date.json", "the nearest are some_project/data.json"),
            ("pypi:some-project==2.0/file", r"no wheel of some-project==2.0 for this Python \(it has 1.0\)"),
            ("pypi:no-such-project==1.0/file", "has no wheel of no-such-project==1.0"),
        ],
    )
    def test_mistakes(self, index: Path, tmp_path: Path, uri: str, message: str) -> None:
        with pytest.raises(UserError, match=message) as error:
            fetch(uri, tmp_path / "new")
        assert "\n" not in str(error.value)

    def test_source_archive_is_never_built(self, index: Path, tmp_path: Path) -> None:
        next(index.iterdir()).unlink()
        with zipfile.ZipFile(index / "some_project-1.0.zip", "w") as archive:
            archive.writestr("some_project-1.0/setup.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
        with pytest.raises(UserError, match="has no wheel"):
            fetch("pypi:some-project==1.0/file", tmp_path / "new")
        assert not (tmp_path / "ran").exists()

    def test_unreachable_index(self, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with serve(Site()) as site:
            pass
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(UserError, match="the Python index cannot be reached; check the network"):
            fetch("pypi:some-project==1.0/file", tmp_path / "new")


class TestHub:
    """In processes of their own: huggingface_hub reads its settings from the environment when it is imported."""

    def fetch(self, uri: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        program = (
            "import sys; from pathlib import Path; "
            "from lib.core.program import run; from lib.sources.addresses import fetch; "
            "run(lambda: print(fetch(sys.argv[1], Path('unused'))))"
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
        return subprocess.run(
            [sys.executable, "-c", program, uri],
            env={
                **kept,
                "PYTHONPATH": str(SCRIPTS),
                "HF_HUB_CACHE": str(cache),
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "no_proxy": "127.0.0.1",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @pytest.fixture
    def hub(self) -> Iterator[Site]:
        """A server with the parts of the hub's interface that a download uses, and one small model."""
        information = {
            "id": "org/tiny",
            "sha": COMMIT,
            "siblings": [{"rfilename": name} for name in HUB_FILES],
        }
        tree = [
            {"type": "file", "path": name, "size": len(content), "oid": sha256(content)[:40]}
            for name, content in HUB_FILES.items()
        ]
        site = Site()
        for revision in ("v1", COMMIT):
            site.files[f"/api/models/org/tiny/revision/{revision}"] = json.dumps(information).encode()
            site.files[f"/api/models/org/tiny/tree/{revision}"] = json.dumps(tree).encode()
            for name, content in HUB_FILES.items():
                path = f"/org/tiny/resolve/{revision}/{name}"
                site.files[path] = content
                site.headers[path] = {"X-Repo-Commit": COMMIT, "ETag": f'"{sha256(content)}"'}
        with serve(site) as running:
            yield running

    def test_model_without_pickle(self, hub: Site, tmp_path: Path) -> None:
        result = self.fetch("hf:org/tiny@v1", tmp_path, HF_ENDPOINT=hub.url)
        assert result.returncode == 0, (result.stderr, hub.requests)
        snapshot = Path(result.stdout.strip())
        assert {path.name for path in snapshot.iterdir()} == {"config.json", "model.safetensors"}
        assert (snapshot / "model.safetensors").read_bytes() == b"weights"

    def test_one_file(self, hub: Site, tmp_path: Path) -> None:
        result = self.fetch("hf:org/tiny@v1/model.Q4_0.gguf", tmp_path, HF_ENDPOINT=hub.url)
        assert Path(result.stdout.strip()).read_bytes() == b"GGUF", result.stderr

    def test_pickle_is_refused(self, hub: Site, tmp_path: Path) -> None:
        result = self.fetch("hf:org/tiny@v1/pytorch_model.bin", tmp_path, HF_ENDPOINT=hub.url)
        assert "can run code" in result.stderr
        assert not hub.requests

    def test_patterns_are_for_text(self, hub: Site, tmp_path: Path) -> None:
        result = self.fetch("hf:org/tiny@v1/*.json", tmp_path, HF_ENDPOINT=hub.url)
        assert "patterns, config and split are for text and instructions; name one file" in result.stderr

    @pytest.mark.parametrize(
        ("uri", "message"),
        [
            ("hf:org/none@v1", "there is no model or data set org/none"),
            ("hf:org/tiny@v2", "org/tiny has no revision v2"),
            ("hf:org/tiny@v1/none.json", "org/tiny has no file none.json at revision v1"),
        ],
    )
    def test_mistakes(self, hub: Site, tmp_path: Path, uri: str, message: str) -> None:
        hub.missing = {
            "/v1/none.json": "EntryNotFound",
            "/models/org/tiny": "RevisionNotFound",
            "/org/none": "RepoNotFound",
        }
        result = self.fetch(uri, tmp_path, HF_ENDPOINT=hub.url)
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.returncode == 1

    def test_local_cache_serves_offline(self, tmp_path: Path) -> None:
        snapshot = tmp_path / "models--org--tiny" / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_bytes(b"{}")
        (tmp_path / "models--org--tiny" / "refs").mkdir()
        (tmp_path / "models--org--tiny" / "refs" / "v1").write_text(COMMIT)
        for revision in ("v1", COMMIT):
            result = self.fetch(f"hf:org/tiny@{revision}", tmp_path, HF_HUB_OFFLINE="1")
            assert result.stdout.strip() == str(snapshot), result.stderr

    def test_unreachable(self, tmp_path: Path) -> None:
        with serve(Site()) as site:
            pass
        result = self.fetch("hf:org/tiny@v1", tmp_path, HF_ENDPOINT=site.url)
        assert "the hub cannot be reached" in result.stderr
        assert result.stderr.count("\n") == 1
