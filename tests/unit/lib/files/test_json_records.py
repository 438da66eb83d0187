import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.files.json_records import JsonError, json_records
from lib.files.limits import TooLong

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def records(text: str, size: int = 1 << 20, most: int = 1 << 20) -> list[str | TooLong]:
    return list(json_records(iter(cut(text, size)), most))


@given(st.lists(VALUES, max_size=4), st.integers(1, 7), st.booleans(), st.sampled_from([None, 1]))
def test_lists_in_any_pieces(values: list[object], size: int, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(values, ensure_ascii=ascii_only, indent=indent)
    assert [json.loads(str(record)) for record in records(f" {text}\n", size)] == values


@given(
    st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=4),
    st.integers(1, 7),
    st.sampled_from(["", "\n", " \r\n"]),
)
def test_objects_one_after_another_in_any_pieces(values: list[object], size: int, between: str) -> None:
    text = between.join(map(json.dumps, values))
    assert [json.loads(str(record)) for record in records(text, size)] == values


@given(st.text(alphabet='[]{}",\\a ', max_size=30), st.integers(1, 7))
def test_whatever_the_text_pieces_make_no_difference(text: str, size: int) -> None:
    def outcome(pieces: int) -> list[str | TooLong] | str:
        try:
            return records(text, pieces)
        except JsonError as error:
            return str(error)

    assert outcome(size) == outcome(1000)


def test_nothing() -> None:
    assert records("") == records(" \n") == records("[]") == records(" [ ] ") == []


@pytest.mark.fault
def test_a_broken_record_costs_nobody_but_itself() -> None:
    assert records('["a", b c, {"d" 1}, "e"]') == ['"a"', " b c", ' {"d" 1}', ' "e"']


def test_records_that_are_too_long() -> None:
    long = '"' + "长" * 1000 + '"'
    for size in (1, 100, 10_000):
        first, second, third = records(f'["a",{long},"b"]', size, 2000)
        assert (first, third) == ('"a"', '"b"')
        assert isinstance(second, TooLong)
        assert second.bytes == 3002
        assert long.startswith(second.start)
        assert 600 < len(second.start) <= 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text", "not a JSON list of documents"),
        ('["a", "b"', "ends inside the list"),
        ('["a"] "b"', "text after the end of the list"),
        ('{"a": "b', "ends inside a record"),
        ('{"a": 1}}', "a '}' too many"),
    ],
)
def test_files_that_are_broken_as_a_whole(text: str, message: str) -> None:
    for size in (1, 3, 1000):
        with pytest.raises(JsonError, match=message):
            records(text, size)
