"""Whatever a key or a cell holds, it is taken, or one line names the key or the column."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from lib.core.errors import UserError
from lib.settings.base import validate
from lib.settings.corpus import SourceSettings
from lib.settings.pipeline import PipelineSettings
from lib.settings.sheets import Source, read_sheet

TEXTS = st.one_of(
    st.text(), st.sampled_from(["{x}", "-1", "$(touch x)", "'\"", "two\nlines", "a\0b", "\x1b[0m", "\ud800"])
)


def keys(model: type[BaseModel] = PipelineSettings, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, (*prefix, name))
        else:
            yield (*prefix, name)


@pytest.mark.fault
@settings(max_examples=12, deadline=None, derandomize=True)
@example("{x}")
@example("a\0b")
@given(TEXTS)
def test_every_key_takes_a_text_or_is_named(text: str) -> None:
    for key in keys():
        for value in (text, [text], {text: text}):
            values: dict[str, Any] = {"base_model": {"uri": "model"}}
            place = values.setdefault(key[0], {}) if len(key) > 1 else values
            place[key[-1]] = value
            try:
                taken = validate(PipelineSettings, values)
            except UserError as error:
                said = str(error)
            else:
                for name in key:
                    taken = getattr(taken, name)
                assert not isinstance(taken, str) or taken == text
                continue
            assert key[-1] in said
            assert len(said.splitlines()) == 1


@pytest.mark.fault
@settings(max_examples=25, deadline=None, derandomize=True)
@example("{x}")
@example("a\0b")
@given(st.text(st.characters(exclude_categories=["Cs"]).filter(lambda one: one not in "\t\n\r")))
def test_every_column_takes_a_text_or_is_named(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    sheet = tmp_path_factory.mktemp("sheet") / "sheet.tsv"
    columns = [column for column in Source.__dataclass_fields__ if column != "settings"]
    for column in [*columns, *SourceSettings.model_fields]:
        cells = {"name": "news", "uri": "news.txt"} | {column: text}
        sheet.write_text("\t".join(cells) + "\n" + "\t".join(cells.values()) + "\n", encoding="utf-8")
        try:
            (row,) = read_sheet(sheet, SourceSettings, ("txt",)).values()
        except UserError as error:
            said = str(error)
        else:
            value = getattr(row, column, None)
            assert not isinstance(value, str) or value == text.strip()
            continue
        assert said.startswith(str(sheet))
        assert column in said
        assert len(said.splitlines()) == 1
