"""A page that is one file: style, script, charts and tables inside, nothing fetched from elsewhere.

To add a page of your own, write templates/NAME.html.jinja that extends "page.html.jinja", fills its block `content`
with the macros of "macros.html.jinja" (`table`, `chart`), and call `write_page` with what the template needs.
"""

from pathlib import Path
from typing import Any

from lib.core.outputs import new_file
from lib.core.page_templates import render
from lib.report.charts import library
from lib.report.tables import chart_summary


def write_page(path: Path, template: str, *, title: str, footer: str, **values: Any) -> int:
    """Write the page that `template` makes of `values` to `path`; returns its size in bytes."""
    text = render(template, title=title, footer=footer, library=library(), chart_summary=chart_summary, **values)
    with new_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return len(text.encode())
