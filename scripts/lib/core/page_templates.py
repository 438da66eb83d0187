"""Pages and cards from the Jinja templates in templates/, where nothing that comes from data is taken for markup.

Names that end in .html.jinja are HTML: Jinja escapes every value. Names that end in .md.jinja are Markdown: every
value is escaped by `markdown_text`, unless it is `Markdown` already. A name that a template uses and nobody gave it is
an error.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from lib.core.program import visible

DIRECTORY = Path(__file__).resolve().parents[3] / "templates"
# An underscore inside a word, and an ampersand that begins no character reference, are only that.
_MARKDOWN = re.compile(r"[\\`*<>\[\]|#~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])")
_BLOCK = re.compile(r"\A(\d*)(?=[-+.)](?:\s|\Z)|---)")  # what begins a list item or is a rule


class Markdown(str):
    """Text that is Markdown, not to be escaped."""


def render(name: str, /, **values: Any) -> str:
    """What the template `name` makes of these values."""
    return _environment(name.endswith(".html.jinja")).get_template(name).render(values)


def markdown_text(value: object) -> Markdown:
    """A value as one line of Markdown that shows just its characters."""
    if isinstance(value, Markdown):
        return value
    line = visible(" ".join(str(value).split()))
    return Markdown(_BLOCK.sub(r"\1\\", _MARKDOWN.sub(_escaped, line)))


def markdown_code(value: object) -> Markdown:
    """A value as inline code."""
    line = visible(" ".join(str(value).split()))
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    edge = " " if longest else ""
    return Markdown(f"{fence}{edge}{line.replace('|', chr(92) + '|')}{edge}{fence}")


def markdown_table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> Markdown:
    """A table whose cells are escaped."""
    lines = [[markdown_text(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, [Markdown("---")] * len(header))
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _escaped(match: re.Match[str]) -> str:
    return {"<": "&lt;", ">": "&gt;"}.get(match[0], f"\\{match[0]}")


def _visible_text(value: object) -> object:
    """Plain text without what would turn its direction around; markup and numbers as they are."""
    return visible(value) if type(value) is str else value


@cache
def _environment(is_html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DIRECTORY),
        autoescape=is_html,
        undefined=jinja2.StrictUndefined,
        finalize=_visible_text if is_html else markdown_text,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": markdown_code}
    return environment
