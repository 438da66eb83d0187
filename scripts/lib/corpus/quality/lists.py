"""Documents that are lists and not text: key words one after another, headlines with dates.

Each share is measured by regular expressions over whole columns, in polars.
"""

import polars as pl

from lib.text.chunks import in_pieces
from lib.text.series import beside_blank, character_lengths

# At least a dozen short items in a row. Chinese words may stand between spaces; English ones would be a sentence.
_ITEMS = r"(?:[\p{Han}A-Za-z0-9]{1,8}[、|/] ?){12,}[\p{Han}A-Za-z0-9]{0,8}|(?:\p{Han}{1,6}[ ,;；]){12,}\p{Han}{0,6}"
_DATE = r"(?:19|20)[0-9]{2}(?:[-/.][0-9]{1,2}[-/.][0-9]{1,2}|年[0-9]{1,2}月[0-9]{1,2}日)"
_HEADLINE = r"[^。！？\n]{2,60}"
_DATED_LINE = (
    rf"(?m)^{_HEADLINE}[ \[(（]{_DATE}[\])）]?(?: [0-9:]{{4,8}})?$"  # behind it
    rf"|^[\[(（]?{_DATE}[\])）]? {_HEADLINE}$"  # before it
)
_LINE = r"(?m)^[^\n]*\w[^\n]*$"
FEWEST_LINES = 5
"""Documents with fewer lines are not judged by their dates."""


def enumerated_share(texts: pl.Series) -> pl.Series:
    """Share of the characters of each text that stand in enumerations of a dozen items or more, from 0 to 1."""
    rows, pieces = in_pieces(texts)
    counts = pl.DataFrame({"row": rows, "characters": _matched(pieces, _ITEMS)}).group_by("row").sum().sort("row")
    return counts["characters"] / pl.Series(character_lengths(texts)).clip(lower_bound=1)


def dated_line_share(texts: pl.Series) -> pl.Series:
    """Share of the lines of each text that are a headline beside a date; 0 for a text of fewer than five lines."""
    shares = pl.repeat(0.0, len(texts), eager=True)
    dated = beside_blank(texts).str.contains(_DATE).arg_true()
    return shares.scatter(dated, _dated_line_share(texts.gather(dated))) if len(dated) else shares


def _dated_line_share(texts: pl.Series) -> pl.Series:
    rows, pieces = in_pieces(texts)
    counted = pl.DataFrame(
        {"row": rows, "dated": pieces.str.count_matches(_DATED_LINE), "lines": pieces.str.count_matches(_LINE)}
    )
    totals = counted.group_by("row").sum().sort("row")
    shares = totals["dated"] / totals["lines"].clip(lower_bound=1)
    return shares.zip_with(totals["lines"] >= FEWEST_LINES, pl.repeat(0.0, len(shares), eager=True))


def _matched(texts: pl.Series, pattern: str) -> pl.Series:
    """Characters of each text that `pattern` matches."""
    found = texts.str.contains(pattern).arg_true()
    some = texts.gather(found)
    lengths = some.str.len_chars() - some.str.replace_all(pattern, "").str.len_chars()
    return pl.repeat(0, len(texts), dtype=pl.UInt32, eager=True).scatter(found, lengths)
