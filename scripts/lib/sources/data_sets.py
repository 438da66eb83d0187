"""Which files of a Hugging Face data set belong to a configuration and a split.

A data set says so in the head of its README.md (`configs`, see the hub's manual); else the names of files and folders
tell their split, as the library `datasets` infers it: train, validation (valid, val, dev) or test (eval).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lib.core.errors import UserError

NO_DATA = re.compile(
    r"(?:^|/)(?:\.|README|LICENSE|dataset_infos\.json$|dataset_dict\.json$|state\.json$|dataset_info\.json$)|\.py$",
    re.IGNORECASE,
)
"""Files that describe a data set."""
ALL = "all"
"""What stands for all splits."""
SPLITS = {"train": "train|training", "validation": "validation|valid|val|dev", "test": "test|testing|eval|evaluation"}
_SPLIT = re.compile("|".join(rf"(?<![^\W\d_])(?P<{name}>{words})(?![^\W\d_])" for name, words in SPLITS.items()))


def choose_files(uri: str, names: Sequence[str], configs: Any, config: str, split: str) -> list[str]:
    """The files among `names` that belong to `config` and `split`; "" for the default ones.

    `configs` is what the data set's README.md says about them, None for nothing. Without a choice, the split is train;
    ALL takes all of them.
    Raises UserError that names the choices when one has to be made, or there are no such files.
    """
    names = [name for name in names if not NO_DATA.search(name)]
    declared = [one for one in configs if isinstance(one, dict)] if isinstance(configs, list) else []
    if any("data_files" in one for one in declared):
        splits = _declared(uri, names, declared, config)
    else:
        splits = _by_names([name for name in names if not config or config in name.split("/")[:-1]])
        if not splits:
            raise UserError(f"{uri}: the data set has no folder {config!r} with data" if config else f"{uri}: no data")
    if split == ALL:
        return sorted(dict.fromkeys(name for files in splits.values() for name in files))
    wanted = split or "train"
    if not splits.get(wanted):
        choice = ", ".join(sorted(name for name, files in splits.items() if files)) or "none"
        raise UserError(f"{uri}: no files of the split {wanted!r}; write ?split= and one of: {choice}")
    return sorted(splits[wanted])


def matching(names: Sequence[str], pattern: str) -> list[str]:
    """The names that a glob pattern fits: `*` stays within a folder, `**` does not."""
    expression = re.compile(_expression(pattern.removeprefix("./")))
    return [name for name in names if expression.fullmatch(name)]


def _declared(
    uri: str, names: Sequence[str], configs: Sequence[Mapping[str, Any]], wanted: str
) -> dict[str, list[str]]:
    """Files by split, of the configuration that is wanted."""
    by_name = {str(one.get("config_name", "default")): one for one in configs}
    default = [name for name, one in by_name.items() if one.get("default") is True or len(by_name) == 1]
    chosen = wanted or (default[0] if default else "default")
    if chosen not in by_name:
        what = f"has no configuration {wanted!r}" if wanted else "has several configurations"
        raise UserError(f"{uri}: the data set {what}; write ?config= and one of: {', '.join(by_name)}")
    folder = str(by_name[chosen].get("data_dir") or "").strip("/")
    splits: dict[str, list[str]] = {}
    data_files = by_name[chosen].get("data_files") or "**"
    for part in data_files if isinstance(data_files, list) else [data_files]:
        split, paths = (part.get("split", "train"), part.get("path", [])) if isinstance(part, dict) else ("train", part)
        for path in paths if isinstance(paths, list) else [paths]:
            pattern = f"{folder}/{path}" if folder else str(path)
            splits.setdefault(str(split), []).extend(matching(names, pattern))
    return {split: list(dict.fromkeys(files)) for split, files in splits.items()}


def _by_names(names: Sequence[str]) -> dict[str, list[str]]:
    """Files by the split that their names tell; all are of train when none tells any."""
    splits: dict[str, list[str]] = {}
    for name in names:
        found = [match.lastgroup for match in _SPLIT.finditer(name.lower())]
        splits.setdefault(str(found[-1]) if found else "", []).append(name)
    unknown = splits.pop("", [])
    return splits or ({"train": unknown} if unknown else {})


def _expression(pattern: str) -> str:
    """A glob pattern as a regular expression."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\[[^\]]+\])", pattern)
    return "".join(
        parts.get(piece) or (piece.replace("[!", "[^") if piece[:1] == "[" and piece[-1:] == "]" else re.escape(piece))
        for piece in pieces
    )
