"""Texts out of files: whole files, lines, paragraphs, and the field of records that holds the text."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from lib.core.errors import UserError
from lib.files.decoding import LONE_SURROGATE, valid_text
from lib.files.formats import RECORDS
from lib.files.limits import EXCERPT_CHARACTERS, Collector, TooLong
from lib.files.records import Record, read_records
from lib.files.text_files import Broken, Seen, TextFile

DEFAULT_FIELD = "text"

Texts = Iterator[str | Broken]


def read_texts(file: TextFile, file_format: str, text_field: str = "") -> Texts:
    """Each text of a file in order, or what is wrong with the record that should hold it; an empty file has none.

    `file_format` is one of formats.TEXTS; `text_field` names the field of records that holds the text ("" for the
    default one), see text_of_record. Raises UserError when the file as a whole cannot be read.
    """
    if file_format in RECORDS:
        return _of_records(file, file_format, text_field or DEFAULT_FIELD)
    return _READERS[file_format](file)


def whole(file: TextFile) -> Texts:
    """The file is one text."""
    text = file.whole()
    if isinstance(text, TooLong):
        yield file.too_long("line 1", text)
    elif text:
        yield text


def _lines(file: TextFile) -> Texts:
    """Every line that is not blank is a text."""
    for number, line in enumerate(file.lines(), 1):
        if isinstance(line, TooLong):
            yield file.too_long(f"line {number}", line)
        elif line.strip():
            yield line.rstrip("\r\n")


def _paragraphs(file: TextFile) -> Texts:
    """Every run of lines between blank lines is a text."""
    block = Collector(file.settings.maximum_document_bytes)
    first = 0

    def taken() -> str | Broken:
        text = block.take()
        return file.too_long(f"line {first}", text) if isinstance(text, TooLong) else text.rstrip("\r\n")

    for number, line in enumerate(file.lines(), 1):
        if isinstance(line, TooLong):
            yield file.too_long(f"line {number}", line)
        elif line.strip():
            first = first or number
            block.add(line)
        elif first:
            yield taken()
            first = 0
    if first:
        yield taken()


def _of_records(file: TextFile, file_format: str, text_field: str) -> Texts:
    """Every record is an object with the field, or a string."""

    def chosen(names: list[str]) -> list[str]:
        columns = list(dict.fromkeys(keys[0] for keys in _field_paths(text_field, names)))
        for column in columns:
            if column not in names:
                raise UserError(f"no column {column!r}; {_name_fields(names)}")
        return columns

    for record in read_records(file, file_format, chosen):
        if isinstance(record, Broken):
            yield record
        else:
            # Nothing holds on to a text that is passed on, since it may be tens of megabytes.
            text = [_text(file, record, text_field)]
            del record
            yield text.pop()


def _text(file: TextFile, record: Record, text_field: str) -> str | Broken:
    try:
        return file.checked(record.position, text_of_record(record.value, text_field, file.seen))
    except _NoText as error:
        excerpt = json.dumps(record.value, ensure_ascii=False, default=str)[:EXCERPT_CHARACTERS]
        return Broken(record.position, str(error), valid_text(excerpt), "no text")


_READERS: dict[str, Callable[[TextFile], Texts]] = {"txt": whole, "lines": _lines, "paragraphs": _paragraphs}


class _NoText(Exception):
    """Why a record has no text."""


def text_of_record(record: Any, text_field: str, seen: Seen) -> str:
    """Text of a record: a string, or a mapping with `text_field`.

    The field may lie deeper (`meta.body`), and several fields may be named (`title, body`); a field may hold a list of
    strings. Each stands on lines of its own. A null is an empty text.
    """
    if isinstance(record, dict):
        found = [_value(record, keys) for keys in _field_paths(text_field, record)]
        texts = [_joined(value, text_field) for value in found]
        text = "\n".join(part for part in texts if part) if len(texts) > 1 else texts[0]
    else:
        text = _joined(record if isinstance(record, str | None) else _no_text(record, text_field), text_field)
    text, lone = LONE_SURROGATE.subn("\ufffd", text)
    seen.undecodable_bytes += lone
    return text


def _field_paths(text_field: str, names: Any) -> list[list[str]]:
    """The keys that lead to each of the named fields. A name that is a key as it stands is that key."""
    if text_field in names:
        return [[text_field]]
    fields = [name.strip() for name in text_field.split(",")]
    return [[name] if name in names else name.split(".") for name in fields if name]


def _value(record: Any, keys: list[str]) -> Any:
    for at, key in enumerate(keys):
        if isinstance(record, list):
            return [_value(one, keys[at:]) for one in record]
        if not isinstance(record, dict) or key not in record:
            fields = list(record) if isinstance(record, dict) else []
            raise _NoText(f"no field {'.'.join(keys)!r}; {_name_fields(fields)}")
        record = record[key]
    return record


def _joined(value: Any, text_field: str) -> str:
    """A text, or lines of text."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(_joined(one, text_field) for one in value)
    return value if isinstance(value, str) else _no_text(value, text_field)


def _no_text(value: Any, text_field: str) -> str:
    raise _NoText(f"{text_field!r} must be a string or a list of strings, not {type(value).__name__}")


def _name_fields(fields: list[str]) -> str:
    """What to tell a user who named a field that is not there."""
    found = ", ".join(fields[:20]) or "none"
    return f"found: {found}; name the one with the text in the sheet's column text_field"
