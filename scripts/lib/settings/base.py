"""What every stage's settings share: strict models and errors that name the key."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lib.core.errors import UserError


class StageSettings(BaseModel):
    """A section of the settings: unknown keys are refused, values are checked, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


Model = TypeVar("Model", bound=StageSettings)


def validate(model: type[Model], values: object, section: str = "", where: str = "settings") -> Model:
    """`values` as an instance of `model`; raises UserError with one line that names the first wrong key in `where`."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: {section or 'the file'} must be a mapping of keys to values, not {values!r}")
    for key, text in _texts(values, section):
        if found := unfit_character(text):
            raise UserError(f"{where}: {key} holds {found}, which no program can be given; take it out")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors()
        message = _describe(model, dict(details[0]), section)
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        raise UserError(f"{where}: {_CONTROL.sub(_escaped, message)}{more}") from None


_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]


_UNFIT = re.compile("[\0\ud800-\udfff]")


def unfit_character(text: str) -> str:
    """What of a text the command line of a program cannot hold, in words; empty when there is nothing of the kind."""
    found = _UNFIT.search(text)
    return f"the character U+{ord(found[0]):04X}" if found else ""


def _texts(values: object, key: str) -> Iterator[tuple[str, str]]:
    """Every text in `values`, keys of mappings included, with its dotted key."""
    if isinstance(values, str):
        yield key, values
    elif isinstance(values, Mapping):
        for name, value in values.items():
            yield from _texts(name, key or "a key")
            yield from _texts(value, f"{key}.{name}" if key else str(name))
    elif isinstance(values, list):
        for value in values:
            yield from _texts(value, key)


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with those of `over` in their place, sections key by key, as Snakemake lays settings files together."""
    result = dict(values)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def from_json(model: type[Model], text: str) -> Model:
    """Settings as a program receives them on its command line."""
    try:
        return validate(model, json.loads(text))
    except json.JSONDecodeError as error:
        raise UserError(f"--settings is not JSON: {error}") from None


def to_json(settings: StageSettings, part: type[StageSettings] | None = None) -> str:
    """Settings as a program receives them; with `part`, only the keys that this base class of them declares."""
    keys = set((part or type(settings)).model_fields)
    return json.dumps(settings.model_dump(mode="json", include=keys), ensure_ascii=False, sort_keys=True)


def known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted key of `model` and of the models inside it."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += known_keys(field.annotation, f"{prefix}{name}.")
    return keys


def _describe(model: type[BaseModel], detail: dict[str, Any], section: str) -> str:
    location = [part for part in detail["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = ".".join(str(part) for part in location)
    prefix = f"{section}." if section else ""
    if detail["type"] == "extra_forbidden":
        nearest = nearest_name(key, known_keys(model))
        return f"unknown key {prefix}{key}; the nearest known key is {prefix}{nearest}"
    if detail["type"] == "missing":
        return f"{prefix}{key} is required"
    reason = detail["msg"].removeprefix("Value error, ")
    if not key:
        return f"{section}: {reason}" if section else reason
    return f"{prefix}{key} is {json.dumps(detail['input'], ensure_ascii=False, default=str)}: {reason}"


def nearest_name(name: str, known: list[str]) -> str:
    """The name in `known` that a person who wrote `name` most likely meant."""
    return max(known, key=lambda candidate: difflib.SequenceMatcher(None, name, candidate).ratio())
