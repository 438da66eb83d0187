"""HTML that is safe by construction: whatever is not made by `element` is text and gets escaped."""

from collections.abc import Iterable, Sequence
from html import escape

VOID = {"meta", "br"}


class Html(str):
    """Markup that may go into a page as it is."""


def element(name: str, /, *children: str, **attributes: str) -> Html:
    """`<name attribute="…">children</name>`; `class_` stands for the attribute class. Text children are escaped."""
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[str], separator: str = "") -> Html:
    """The children one after the other, text escaped."""
    return Html(separator.join(child if isinstance(child, Html) else escape(child) for child in children))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> Html:
    """A table that scrolls sideways when it is too wide. Columns after the first `text_columns` hold numbers."""

    def line(name: str, cells: Sequence[str]) -> Html:
        return element(
            "tr",
            *(element(name, cell, class_="text" if i < text_columns else "number") for i, cell in enumerate(cells)),
        )

    head = element("thead", line("th", header)) if any(header) else Html()
    body = element("tbody", *(line("td", row) for row in rows))
    return element("div", element("table", head, body), class_="scroll")


def bar(share: float) -> Html:
    """A horizontal bar that fills `share` (0 to 1) of its cell."""
    return element("div", element("div", style=f"width:{100 * min(max(share, 0.0), 1.0):.1f}%"), class_="bar")


def section(title: str, *children: str) -> Html:
    """A part of the page with a heading; nothing when it has no content."""
    present = [child for child in children if child]
    return element("section", element("h2", title), *present) if present else Html()


def details(title: str, *children: str) -> Html:
    """Content that is folded away until someone asks for it."""
    return element("details", element("summary", title), *children)
