"""docs/outputs.md held against the files of a run.

Of the page this reads:

- tables with a column `path`: paths from results/ on, in which the words of PLACEHOLDERS stand for any name. One with a
  slash at its end that has `the same files as` another stands for all of those;
- `Columns of …` and `Keys of …`: behind these words the paths that are meant (their ends are enough), behind the colon
  the names, or a table of them. A name with dots lies deeper, and speaks for all that lies below it.

What is explained with the word `only` may be missing in a run.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

PAGE = Path(__file__).resolve().parents[1] / "docs" / "outputs.md"
OF_LIBRARIES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "adapter_config.json",
    "model.safetensors.index.json",
)
"""Files whose keys are the business of the library that reads them."""

PLACEHOLDERS = ("SOURCE", "FOLDER", "NNNNN", "NNNN", "NN", "MODEL", "RULE", "KEY", "FORMAT", "STAGE")

_NAMES = re.compile(r"(?:Columns|Keys) of ((?:[^:`]|`[^`]*`)*):(.*)", re.DOTALL)
_QUOTED = re.compile(r"`([^`]+)`(?: \(([^()]*)\))?")
_SAME = re.compile(r"the same files as `([^`]+)`")
_ANY = re.compile("|".join(PLACEHOLDERS))


@dataclass(frozen=True)
class Documented:
    """The names that the page gives for some files."""

    ends: list[str]
    """Ends of the files' documented paths."""
    names: dict[str, bool] = field(default_factory=dict)
    """Each name, and whether it may be missing."""

    def speaks_for(self, path: str) -> bool:
        return any(path == end or path.endswith(f"/{end}") for end in self.ends)


class OutputsPage:
    """What docs/outputs.md says."""

    def __init__(self, text: str) -> None:
        self.paths: dict[str, bool] = {}
        """Each documented path, and whether it may be missing."""
        self.documented: list[Documented] = []
        copies: dict[str, list[str]] = {}
        for block in re.split(r"\n\n+", text):
            rows = [line.strip("| ").split(" | ", 1) for line in block.splitlines() if line.startswith("|")]
            if rows and rows[0][0] == "path":
                for cell, meaning in rows[2:]:
                    for path, _ in _QUOTED.findall(cell):
                        self.paths[path] = "only" in meaning
                        copies[path] = _SAME.findall(meaning)
            elif rows and self.documented and not self.documented[-1].names:
                for cell, meaning in rows[2:]:
                    self.documented[-1].names.update({name: "only" in meaning for name, _ in _QUOTED.findall(cell)})
            elif found := _NAMES.match(block):
                names = {name: "only" in remark for name, remark in _QUOTED.findall(found[2])}
                self.documented.append(Documented([end for end, _ in _QUOTED.findall(found[1])], names))
        for target, sources in copies.items():
            for source in sources:
                below = [path.removeprefix(source) for path in self.paths if path.startswith(source)]
                self.paths |= {target + rest: self.paths[target] or self.paths[source + rest] for rest in below if rest}
        self.paths = {path: optional for path, optional in self.paths.items() if not path.endswith("/")}

    def path_of(self, file: str) -> str | None:
        """The documented path that stands for a file."""
        return next((path for path in self.paths if fits(path, file)), None)

    def names_of(self, path: str) -> set[str]:
        """The names that are documented for what lies at a documented path."""
        return {name for one in self.documented if one.speaks_for(path) for name in one.names}


def undocumented(results: Path) -> list[str]:
    """What to add to the page: every file in the folder that it lacks, and every name in a file."""
    page = OutputsPage(PAGE.read_text(encoding="utf-8"))
    missing = set()
    for file, path in _files(results):
        documented = page.path_of(file)
        if documented is None:
            missing.add(f"docs/outputs.md: add a row | `{file}` | what it is | to a table of its stage")
        else:
            known = page.names_of(documented)
            for name in contents(path):
                if not any(covers(one, name) for one in known):
                    missing.add(f"docs/outputs.md: name `{name}` among the columns or keys of `{documented}`")
    return sorted(missing)


def outdated(results: Path) -> list[str]:
    """What to take out of the page, or to explain with `only`: documented files and names that a run does not have."""
    page = OutputsPage(PAGE.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for file, path in _files(results):
        found.setdefault(page.path_of(file) or "", set()).update(contents(path))
    lines = [f"docs/outputs.md: no run has `{path}`" for path, may in page.paths.items() if not may | (path in found)]
    for one in page.documented:
        files = [path for path in page.paths if one.speaks_for(path)]
        if not files:
            lines.append(f"docs/outputs.md: {', '.join(one.ends)} are the ends of no documented paths")
        present = {name for path in files for name in found.get(path, ())}
        lines += [
            f"docs/outputs.md: no file that ends in {', '.join(one.ends)} has `{name}`"
            for name, may in one.names.items()
            if present and not may and not any(covers(name, other) for other in present)
        ]
    return lines


def contents(path: Path) -> set[str]:
    """The names of the columns or keys in a file, deeper ones with dots; none of a file that has no such names."""
    if path.suffix == ".parquet":
        return set(pl.read_parquet_schema(path))
    if path.suffix == ".arrow":
        with pa.memory_map(str(path)) as file:
            return set(pa.ipc.open_stream(file).schema.names)
    if path.suffix == ".tsv":
        with path.open(encoding="utf-8", newline="") as file:
            return set(next(csv.reader(file, delimiter="\t")))
    if path.suffix in (".json", ".jsonl") and path.name not in OF_LIBRARIES:
        text = path.read_text(encoding="utf-8")
        values = text.splitlines() if path.suffix == ".jsonl" else [text]
        return {name for value in values for name in _keys(json.loads(value))} - {"counts", "facts"}
    return set()


def fits(documented: str, found: str) -> bool:
    """Whether `found` is a path or a name that `documented` stands for."""
    return re.fullmatch(_ANY.sub("[^/.]+", re.escape(documented)), found) is not None


def covers(documented: str, name: str) -> bool:
    """Whether `documented` is the name, or one above it."""
    return fits(documented, ".".join(name.split(".")[: documented.count(".") + 1]))


def _files(results: Path) -> Iterator[tuple[str, Path]]:
    """The path from results/ on, and where it is, of every file that is not hidden."""
    for path in sorted(results.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield f"results/{path.relative_to(results).as_posix()}", path


def _keys(value: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, part in value.items():
        name = above + key.replace(".", "_")
        yield from _keys(part, f"{name}.") if isinstance(part, dict) and part else [name]
