"""manifest.json: what a directory of results holds and what it was made from.

Rules downstream depend on this file instead of the directory. Two identical runs write identical manifests, so
nothing that varies between them (time, host, paths outside the project) belongs in it. made_with.json beside it names
the code's commit and the versions of all packages; nothing depends on that file.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lib.core.code_version import surroundings
from lib.core.credentials import cleaned
from lib.core.outputs import sha256_file, write_json

NAME = "manifest.json"
MADE_WITH = "made_with.json"


def write_manifest(
    directory: Path,
    *,
    inputs: Mapping[str, Path],
    counts: Mapping[str, Any],
    settings: BaseModel | None = None,
    seed: int | None = None,
    packages: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Describe every file now in `directory`, the `inputs` (files, hashed), how the result came about, and by what.

    `packages` are the libraries whose versions shape the result; `facts` is anything else worth keeping.
    """
    own = (NAME, MADE_WITH)
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name not in own)
    write_json(directory / MADE_WITH, surroundings())
    write_json(
        directory / NAME,
        {
            "files": {
                path.relative_to(directory).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
                for path in files
            },
            "inputs": {name: sha256_file(path) for name, path in inputs.items()},
            "counts": dict(counts),
            "settings": cleaned(settings.model_dump(mode="json")) if settings else {},
            "seed": seed,
            "versions": {package: version(package) for package in packages},
            "facts": cleaned(facts or {}),
        },
    )
