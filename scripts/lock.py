"""Pin everything that the requirements and the conda environments bring along, and list the hashes of all files.

    python scripts/lock.py
    python scripts/lock.py --uv .venv-lock/bin/uv --upgrade

It writes envs/constraints.txt, envs/locked*.txt and, in the conda environments, the pins below the line that says so.
Versions stay what they are wherever the requirements allow it; with --upgrade, what no requirement names becomes the
newest. It asks the package index that uv is set to, and pip for the CPU build of torch.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.core.errors import UserError
from lib.core.outputs import new_file
from lib.core.program import program_parser, run, say

ENVS = Path(__file__).resolve().parent.parent / "envs"
TO_RUN = ["requirements.txt", "requirements-serving.txt", "requirements-export.txt"]
FOR_TESTS = ["requirements-test.txt"]
WITHOUT_DEPENDENCIES = ["requirements-lm-eval.txt"]
OTHER_VERSIONS = {"lm_eval": {"chardet": "5.2.0", "python-dateutil": "2.9.0.post0"}}
"""Versions, by environment, of packages that another one there holds back."""

BROUGHT_ALONG = "      # What these bring along: written by `make lock`.\n"
PYTHON = "3.11"
CONDA_PLATFORM = "x86_64-manylinux_2_28"

_CUDA = re.compile(r"(nvidia|cuda)-|triton$")
_PIN = re.compile(r"([\w.-]+)==([^\s;]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")

HEADS = {
    "constraints.txt": """\
# Versions of everything that requirements.txt, -serving, -export and -test name and bring along, as last tested:
# pip install -c. Written by `make lock`.
""",
    "locked.txt": """\
# Everything that requirements.txt, -serving and -export name and bring along, with the hashes of all files. Only torch
# is missing: locked-cpu.txt and locked-cuda.txt have its two builds, and include this file. Written by `make lock`.
""",
    "locked-cpu.txt": """\
# With the CPU build of torch, as the tests have it: pip install --require-hashes --no-deps -r envs/locked-cpu.txt
# Written by `make lock`, with the hashes of the builds that pip found for the machine it ran on.
-r locked.txt
""",
    "locked-cuda.txt": """\
# With the CUDA build of torch and its libraries: pip install --require-hashes --no-deps -r envs/locked-cuda.txt
# Written by `make lock`.
-r locked.txt
""",
}


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--uv", default="uv", help="the program uv")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that the requirements allow")
    args = parser.parse_args()
    uv = shutil.which(args.uv)
    if uv is None:
        raise UserError(f"{args.uv}: no such program; `make lock` installs it")
    with tempfile.TemporaryDirectory() as folder:
        for path, text in locked_files(uv, Path(folder), args.upgrade).items():
            with new_file(path) as partial:
                partial.write_text(text, encoding="utf-8")
            say(f"wrote {path}")


def locked_files(uv: str, scratch: Path, upgrade: bool) -> dict[Path, str]:
    """Path and full text of each file, made with the help of files in `scratch`.

    Raises UserError when no versions fit together.
    """
    constraints = scratch / "constraints.txt"
    if not upgrade:  # uv keeps to the versions that it finds where it is to write
        shutil.copy(ENVS / "constraints.txt", constraints)
    universal = ["--universal", "--fork-strategy", "fewest"]
    _compile(uv, [*_paths(TO_RUN), *_paths(FOR_TESTS)], constraints, *universal)

    locked = scratch / "locked.txt"
    _compile(uv, _paths(TO_RUN), locked, *universal, "--generate-hashes", "--constraints", constraints)
    entries = split_entries(locked.read_text(encoding="utf-8"))
    cuda = [name for name in entries if name == "torch" or _CUDA.match(name)]
    texts = {
        "constraints.txt": split_entries(constraints.read_text(encoding="utf-8")).values(),
        "locked.txt": (entry for name, entry in entries.items() if name not in cuda),
        "locked-cpu.txt": [cpu_build(pins(entries["torch"])["torch"])],
        "locked-cuda.txt": (entries[name] for name in cuda),
    }
    files = {ENVS / name: HEADS[name] + "".join(parts) for name, parts in texts.items()}

    tested = pins(constraints.read_text(encoding="utf-8"))
    for name in WITHOUT_DEPENDENCIES:
        tested |= pins((ENVS / name).read_text(encoding="utf-8"))
    for environment in sorted(ENVS.glob("*.yaml")):
        versions = tested | OTHER_VERSIONS.get(environment.stem, {})
        named = named_packages(environment.read_text(encoding="utf-8"), versions)
        brought = _brought_along(uv, scratch, named, tested)
        files[environment] = with_pins(environment.read_text(encoding="utf-8"), named, brought)
    return files


def normal_name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def pins(text: str) -> dict[str, str]:
    """Versions by package out of `name==version` lines; comments and conditions left out."""
    found = (_PIN.match(line) for line in text.splitlines())
    return {normal_name(match[1]): match[2] for match in found if match}


def split_entries(text: str) -> dict[str, str]:
    """The entries of a requirements file by package: a line, and the indented lines of hashes after it."""
    entries = re.findall(r"^(\S+==.*\n(?:^ .*\n)*)", text, re.MULTILINE)
    return {next(iter(pins(entry))): entry for entry in entries}


def cpu_build(version: str) -> str:
    """The entry of torch's CPU build: with the file that pip takes, and those that are known from other machines."""
    pin = f"torch=={version}+cpu"
    path = ENVS / "locked-cpu.txt"
    old = split_entries(path.read_text(encoding="utf-8")).get("torch", "") if path.is_file() else ""
    hashes = {*_HASH.findall(old if old.startswith(f"{pin} ") else ""), *_hashes_of_file(pin)}
    if not hashes:
        raise UserError(f"pip finds no {pin}; set it to an index that has CPU builds of torch")
    return " \\\n".join([pin, *(f"    --hash={each}" for each in sorted(hashes))]) + "\n"


def named_packages(environment: str, versions: Mapping[str, str]) -> dict[str, str]:
    """Versions of the packages that a conda environment names itself, by their names as they are written there."""
    named, *_ = environment.partition(BROUGHT_ALONG)
    written = re.findall(r"^ {6}- ([\w.-]+)(?:==(\S+))?$", named, re.MULTILINE)
    missing = [name for name, _ in written if normal_name(name) not in versions]
    if missing:
        raise UserError(f"no envs/requirements*.txt has {', '.join(missing)}, which a conda environment names; add it")
    return {name: versions[normal_name(name)] for name, _ in written}


def with_pins(environment: str, named: Mapping[str, str], brought: Mapping[str, str]) -> str:
    """The text of a conda environment with the versions of all its packages."""
    head, *_ = environment.partition("  - pip:\n")
    lines = [f"      - {name}=={version}\n" for name, version in named.items()]
    below = [f"      - {name}=={version}\n" for name, version in brought.items()]
    return "".join([head, "  - pip:\n", *lines, BROUGHT_ALONG, *below])


def _brought_along(uv: str, scratch: Path, named: Mapping[str, str], tested: Mapping[str, str]) -> dict[str, str]:
    """Versions of what the packages of a conda environment bring along, the `tested` ones where they fit.

    The CUDA libraries of torch are left out: its CPU build does without, and its CUDA build pins them itself.
    """
    names = {normal_name(name) for name in named}
    wanted, result = scratch / "wanted.in", scratch / "brought.txt"
    wanted.write_text(_lines(named), encoding="utf-8")
    result.write_text(_lines(tested), encoding="utf-8")
    _compile(uv, [wanted], result, "--python-platform", CONDA_PLATFORM)
    found = pins(result.read_text(encoding="utf-8"))
    return {name: found[name] for name in found if name not in names and not _CUDA.match(name)}


def _lines(versions: Mapping[str, str]) -> str:
    return "".join(f"{name}=={version}\n" for name, version in versions.items())


def _paths(names: Iterable[str]) -> list[Path]:
    return [ENVS / name for name in names]


def _compile(uv: str, requirements: Iterable[Path], target: Path, *options: str | Path) -> None:
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--python-version", PYTHON, *map(str, options), "--output-file", str(target), *map(str, requirements)]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise UserError("uv found no versions that fit together: it says above why; change envs/requirements*.txt")


def _hashes_of_file(pin: str) -> list[str]:
    """The hash of the file that pip would install; none where its indexes have no such file."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", pin]
    command += ["--dry-run", "--ignore-installed", "--no-deps", "--report", "-"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        return []
    [found] = json.loads(result.stdout)["install"]
    return [f"sha256:{found['download_info']['archive_info']['hashes']['sha256']}"]


if __name__ == "__main__":
    run(main)
