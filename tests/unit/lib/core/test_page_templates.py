"""Values of templates never become markup."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lib.core import page_templates
from lib.core.page_templates import DIRECTORY, Markdown, markdown_code, markdown_table, markdown_text, render

HOSTILE = st.text(alphabet="<>&\"'`*_[]()!|#\\~-+=1. ab春{}%:/", max_size=40)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(text: str) -> str:
    """Text of the inline elements of a line of Markdown, which must be nothing but text."""
    tokens = MARKDOWN.parse(text)
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    inline = [child for token in tokens for child in token.children or []]
    assert {child.type for child in inline} <= {"text", "text_special"}
    return "".join(child.content for child in inline)


@given(HOSTILE)
@example("1. a")
@example("12)")
@example("0.05")
@example("- a")
@example("-5 %")
@example("----")
@example("+ a")
@example("# a")
@example("> a")
@example("&amp;")
def test_markdown_shows_just_the_characters(text: str) -> None:
    assert shown(markdown_text(text)) == " ".join(text.split())


@given(HOSTILE.filter(str.strip))
def test_code_shows_just_the_characters(text: str) -> None:
    (cell,) = MARKDOWN.parse(markdown_table(["head"], [[markdown_code(text)]]))[-5].children or []
    assert cell.type == "code_inline"
    assert cell.content == " ".join(text.split())


def test_a_table_has_its_cells() -> None:
    table = markdown_table(["a", "b"], [["x|y", Markdown("**z**")], [1, ""]])
    assert table == "| a | b |\n| --- | --- |\n| x\\|y | **z** |\n| 1 |  |"


def test_no_value_commands_a_terminal_or_turns_text_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_templates, "DIRECTORY", tmp_path)
    page_templates._environment.cache_clear()
    escaped = {"page.html.jinja": "a\\x1b[2J\\u202e&lt;b&gt;", "card.md.jinja": r"a\\x1b\[2J\\u202e&lt;b&gt;"}
    for name, expected in escaped.items():
        (tmp_path / name).write_text("{{ value }}")
        assert render(name, value="a\x1b[2J\u202e<b>") == expected
    page_templates._environment.cache_clear()
    assert markdown_code("\x1b[2J") == "`\\x1b[2J`"


def test_words_keep_their_underscores() -> None:
    assert markdown_text("near_duplicate_of _this_") == "near_duplicate_of \\_this\\_"


@pytest.mark.parametrize("name", sorted(path.name for path in DIRECTORY.glob("*.jinja")))
def test_every_template_says_how_it_escapes(name: str) -> None:
    assert name.endswith((".html.jinja", ".md.jinja"))


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(Exception, match="is undefined"):
        render("page.html.jinja")
