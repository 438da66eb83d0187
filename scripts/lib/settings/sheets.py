"""Sheets: tab-separated tables with one row per source, written by the user.

The standard library's csv module reads them, not pandas, which reads the other tables here: of a row with too many
cells pandas silently takes the last ones, it renames a column that is there twice, it does not know the line of a cell,
and its import would add 0.35 CPU seconds to every plan.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_origin

from lib.core.credentials import with_references
from lib.core.errors import UserError
from lib.settings.base import StageSettings, nearest_name, unfit_character, validate

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
MAX_WEIGHT = 100
LAYOUTS = ("alpaca", "sharegpt", "messages")
"""What records of instructions can look like; see lib.sft.conversations."""
KEYS = (
    *("instruction", "input", "output", "system", "history"),
    *("conversations", "messages", "role", "content", "reasoning_content"),
    *("tools", "category", "short_answer"),
)
"""Keys of records of instructions that the column `columns` can give other names."""
READ_COLUMNS = ("name", "uri", "sha256", "format", "encoding", "layout", "columns")
"""What a set of instructions is read by."""
DESCRIBED_COLUMNS = ("name", "uri", "license", "weight", "max_characters", "settings")
"""What the data card says of a source of text."""
NOT_READ: dict[str, Any] = {
    "license": "",
    "weight": 1.0,
    "max_characters": None,
    "parts": 1,
    "replay": 0.0,
    "settings": {},
}
"""Columns that change nothing in what is read from a source, with their values when empty."""
MAX_PARTS = 10_000
NUMBERS = ("weight", "max_characters", "parts", "replay")  # columns that do not hold text


@dataclass(frozen=True)
class Source:
    """One row of a sheet."""

    name: str
    """Short name, used in file names."""
    uri: str
    """Address of a file or directory (see config/README.md)."""
    sha256: str = ""
    """Checksum of the fetched file, enforced when given."""
    format: str = ""
    """Format of the file; by its ending when empty."""
    encoding: str = ""
    """Encoding of the files, as Python calls it; guessed when empty."""
    layout: str = ""
    """For instructions: what records look like, one of LAYOUTS; by their keys when empty."""
    columns: dict[str, str] = field(default_factory=dict)
    """For instructions: the records' names for keys, theirs by ours; written `instruction=question,output=answer`."""
    text_field: str = ""
    """For records: the field that holds the text."""
    license: str = ""
    """Licence of the source, copied into the data card."""
    weight: float = 1.0
    """How often its training documents are taken, on average."""
    max_characters: int | None = None
    """Most characters of training text that are taken from it; all when None."""
    parts: int = 1
    """Number of jobs that read it, each a part of it; one when empty."""
    replay: float = 0.0
    """For text in the base model's own language, against forgetting: its share of the tokens that are trained on."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings that hold for this source alone, by key."""

    def as_read(self) -> str:
        """The row as the program that reads the source takes it: JSON, without what changes nothing in what is read."""
        return json.dumps(asdict(replace(self, **NOT_READ)), ensure_ascii=False)


def read_sheet(
    path: Path, own_settings: type[StageSettings] | None = None, formats: Sequence[str] = ()
) -> dict[str, Source]:
    """The rows of a sheet by name, in order. Lines that start with # are comments.

    Every key of `own_settings` may be a column, too; what a cell of it holds goes into the row's `settings`. Raises
    UserError with file, line and column for anything that is not as it should be, a format that is none of `formats`
    included.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; it must be a tab-separated sheet with the columns name and uri")
    settings = list(own_settings.model_fields) if own_settings else []
    columns = [column for column in Source.__dataclass_fields__ if column != "settings"] + settings
    sources: dict[str, Source] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    rows = csv.reader((line for _, line in numbered), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(rows, [])
    if len(header) == 1:
        _separated_by_tabs(header, f"{path}, line {numbered[0][0]}")
    for column in header:
        if column not in columns:
            raise UserError(
                f"{path}: unknown column {column!r}; the nearest known one is {nearest_name(column, columns)}"
            )
        if header.count(column) > 1:
            raise UserError(f"{path}: the column {column!r} stands twice")
    for required in ("name", "uri"):
        if required not in header:
            raise UserError(f"{path}: the header line lacks the column {required!r}")
    for (number, _), row in zip(numbered[1:], rows, strict=True):
        where = f"{path}, line {number}"
        _separated_by_tabs(row, where)
        if len(row) > len(header):
            raise UserError(f"{where}: {len(row)} cells, but the header names {len(header)} columns")
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        for column, cell in cells.items():
            if found := unfit_character(cell):
                raise UserError(f"{where}: {column} holds {found}, which no program can be given; take it out")
        values: dict[str, Any] = {
            column: cell
            for column, cell in cells.items()
            if column not in (*NUMBERS, "columns") and column not in settings
        }
        if not NAME_PATTERN.fullmatch(values.get("name", "")):
            raise UserError(f"{where}: name {values.get('name', '')!r} must be letters, digits, - and _ only")
        if not values.get("uri"):
            raise UserError(f"{where}: uri is empty")
        values["uri"] = with_references(values["uri"], f"{path.name}: source {values['name']}")
        if values.get("layout", "") not in ("", *LAYOUTS):
            raise UserError(f"{where}: unknown layout {values['layout']!r} (known: {', '.join(LAYOUTS)})")
        if formats and values.get("format", "") not in ("", *formats):
            raise UserError(
                f"{where}: unknown format {values['format']!r}; the nearest known one is "
                f"{nearest_name(values['format'], list(formats))!r} (known: {', '.join(formats)}); "
                "convert files of other formats first"
            )
        if values["name"] in sources:
            raise UserError(f"{where}: the name {values['name']!r} stands twice; every source needs a name of its own")
        if own_settings:
            values["settings"] = _settings(own_settings, cells, where)
        sources[values["name"]] = Source(**values, columns=_columns(cells, where), **_numbers(cells, where))
    if not sources:
        raise UserError(
            f"{path}: no source; add at least one row, or set `enabled: false` in the settings' section that names it"
        )
    return sources


def _separated_by_tabs(cells: list[str], where: str) -> None:
    if len(cells) == 1 and len(re.split("[ ,;]+", cells[0].strip())) > 1:
        raise UserError(f"{where}: columns are separated by tabs, and this line has none: {cells[0]!r}")


def _columns(cells: dict[str, str], where: str) -> dict[str, str]:
    """The pairs of the column `columns`."""
    columns: dict[str, str] = {}
    for pair in filter(None, cells.get("columns", "").split(",")):
        key, _, name = (part.strip() for part in pair.partition("="))
        if not name:
            raise UserError(f"{where}: columns {pair.strip()!r} must be written key=name, as in instruction=question")
        if key not in KEYS:
            raise UserError(
                f"{where}: columns: unknown key {key!r}; the nearest known one is {nearest_name(key, list(KEYS))!r} "
                f"(known: {', '.join(KEYS)})"
            )
        if key in columns:
            raise UserError(f"{where}: columns names {key!r} twice")
        columns[key] = name
    return columns


def _settings(model: type[StageSettings], cells: dict[str, str], where: str) -> dict[str, Any]:
    """The cells that hold settings, checked; an empty one stands for the general setting."""
    given: dict[str, Any] = {key: cell for key in model.model_fields if (cell := cells.get(key))}
    for key in given:
        if get_origin(model.model_fields[key].annotation) is list:
            given[key] = [part.strip() for part in given[key].split(",")]
    checked = validate(model, given, where=where)
    return {key: getattr(checked, key) for key in given}


def _numbers(cells: dict[str, str], where: str) -> dict[str, Any]:
    """The columns that hold numbers; an empty cell stands for the default."""
    numbers: dict[str, Any] = {}
    if weight := cells.get("weight"):
        try:
            numbers["weight"] = float(weight)
        except ValueError:
            numbers["weight"] = 0.0
        if not 0 < numbers["weight"] <= MAX_WEIGHT:
            raise UserError(f"{where}: weight {weight!r} must be a number above 0 and at most {MAX_WEIGHT}")
    if cap := cells.get("max_characters"):
        if not re.fullmatch(r"[1-9][0-9]*", cap):
            raise UserError(f"{where}: max_characters {cap!r} must be a whole number above 0")
        numbers["max_characters"] = int(cap)
    if parts := cells.get("parts"):
        if not re.fullmatch(r"[1-9][0-9]{0,4}", parts) or int(parts) > MAX_PARTS:
            raise UserError(f"{where}: parts {parts!r} must be a whole number from 1 to {MAX_PARTS:,}")
        numbers["parts"] = int(parts)
    if share := cells.get("replay"):
        try:
            numbers["replay"] = float(share)
        except ValueError:
            numbers["replay"] = 1.0
        if not 0 <= numbers["replay"] < 1:
            raise UserError(f"{where}: replay {share!r} must be a share of the tokens, below 1")
    return numbers


def replay_shares(sources: Mapping[str, Source], others: Mapping[str, float]) -> dict[str, float]:
    """Share of the tokens by name, of the sources that are replayed; `others` take the place of the sheet's.

    Raises UserError when `others` name no source, or when nothing is left for sources that are not replayed.
    """
    for name in others:
        if name not in sources:
            raise UserError(f"pretrain.replay: no source {name}; the nearest is {nearest_name(name, list(sources))}")
    shares = {name: source.replay for name, source in sources.items() if source.replay} | dict(others)
    if sum(shares.values()) >= 1 or (shares and len(shares) == len(sources)):
        raise UserError(
            f"replay: {', '.join(shares)} leave no tokens for other sources; shares must add up to less than 1"
        )
    return shares
