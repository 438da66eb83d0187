"""manifest.json: what a directory of results holds and what it was made from.

Rules downstream depend on this file instead of the directory. Two identical runs write identical manifests, so
nothing that varies between them (time, host, paths outside the project) belongs in it.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lib.checksums import sha256_file
from lib.errors import UserError
from lib.settings.base import StageSettings

NAME = "manifest.json"


def write_manifest(
    directory: Path,
    *,
    inputs: Mapping[str, Path],
    counts: Mapping[str, Any],
    settings: StageSettings | None = None,
    seed: int | None = None,
    packages: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Describe every file now in `directory`, the `inputs` (files, hashed), and how the result came about.

    `packages` are the libraries whose versions shape the result; `facts` is anything else worth keeping.
    """
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != NAME)
    write_json(
        directory / NAME,
        {
            "files": {
                path.relative_to(directory).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
                for path in files
            },
            "inputs": {name: sha256_file(path) for name, path in inputs.items()},
            "counts": dict(counts),
            "settings": settings.model_dump(mode="json") if settings else {},
            "seed": seed,
            "versions": {package: version(package) for package in packages},
            "facts": dict(facts or {}),
        },
    )


def read_json(path: Path) -> Any:
    """Parsed JSON of a file that an earlier step made; UserError when it is missing or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run the step that makes it first") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON ({error}); delete it and run again") from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
