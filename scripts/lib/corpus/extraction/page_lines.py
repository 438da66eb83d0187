"""Text of a page's elements: a line per block, a row of a data table on one line, code as it is."""

from lib.corpus.extraction.line_breaks import marked, unwrapped
from lib.corpus.extraction.page_tree import BLOCKS, Element

_BLOCK_TAGS = frozenset(BLOCKS.split("|"))
_CELL_CHARACTERS = 200
"""A table whose cells are no longer than this holds data, and a row of it is one line."""


def page_lines(elements: list[Element], roots: list[int]) -> list[str]:
    """Lines of text within the elements at positions `roots`, without what is dropped."""
    return unwrapped("".join(_written(elements, roots))).split("\n")


def text_within(elements: list[Element], at: int) -> str:
    """All text within an element, on one line."""
    inner = elements[at : elements[at].end]
    text = "".join(one.text for one in inner if one.text is not None and not one.drop)
    return unwrapped(marked(text)).strip()


def _written(elements: list[Element], roots: list[int]) -> list[str]:
    """Pieces of text of the chosen elements: line breaks around blocks, ` | ` between the cells of a data table."""
    pieces: list[str] = []
    open_blocks: list[tuple[int, str]] = []  # where an element ends, and what to write there
    cell_end = pre_end = bars = 0
    row, row_has_text = -1, False
    data_tables: dict[int, bool] = {}
    for root in roots:
        at = root
        while at < elements[root].end:
            while open_blocks and open_blocks[-1][0] <= at:
                pieces.append(open_blocks.pop()[1])
            element = elements[at]
            if element.drop:
                at = element.end
                continue
            in_cell = at < cell_end
            if element.text is not None:
                if in_cell and element.characters:
                    pieces.append(" |" * bars + " " * (bars > 0))
                    row_has_text, bars = True, 0
                pieces.append(element.text if at < pre_end and not in_cell else marked(element.text))
            elif element.tag in ("td", "th") and not in_cell and _is_in_data_table(elements, at, data_tables):
                if element.parent != row:
                    row, row_has_text, bars = element.parent, False, 0
                bars += row_has_text
                cell_end = element.end
            elif element.tag in _BLOCK_TAGS:
                pieces.append(" " if in_cell else "\n")
                open_blocks.append((element.end, " " if in_cell else "\n"))
                if element.tag in ("pre", "textarea"):
                    pre_end = element.end
            at += 1
        pieces += [text for _, text in reversed(open_blocks)]
        open_blocks.clear()
    return pieces


def _is_in_data_table(elements: list[Element], cell: int, known: dict[int, bool]) -> bool:
    """Whether the table around a cell holds data: short cells, no tables, lists or code in them."""
    table = elements[cell].parent
    while table >= 0 and elements[table].tag != "table":
        table = elements[table].parent
    if table < 0:
        return False
    if table not in known:
        outer = elements[table]
        inner = elements[table : outer.end]
        known[table] = not outer.tags & {"table", "ul", "ol", "dl", "pre"} and all(
            one.characters <= _CELL_CHARACTERS for one in inner if one.tag in ("td", "th")
        )
    return known[table]
