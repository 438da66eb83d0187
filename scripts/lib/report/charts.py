"""Line charts for a page: several lines on one axis, values on hover, zoom, a logarithmic scale, light and dark.

They are drawn by uPlot 1.6.31 (MIT licence, Leon Sorokin), read at run time from the package youplot, which carries
the files that npm serves for that version, byte for byte; their checksums are below, and nothing of the package is
imported. Of the libraries that a Python package brings along it is the smallest, by what each adds to a page and what
is downloaded for it: uPlot 51 KB and 72 KB; dygraphs 123 KB and 180 KB; mpld3 with D3 279 KB and 203 KB; Bokeh 1.2 MB
and 6.4 MB; Vega, which Snakemake carries, 2.2 MB; Plotly 4.8 MB and 9.7 MB.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal

from lib.core.errors import UserError

PACKAGE = "youplot"
LIBRARY = {
    "youplot/vendor/uplot.iife.min.js": "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2",
    "youplot/vendor/uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
MAXIMUM_POINTS = 2_000
"""Points of a line that a page draws: more than a screen has columns."""


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    label: str
    x: Sequence[float]
    """In rising order."""
    y: Sequence[float]
    """As many as `x`."""
    color: int = 0
    """Which of the page's colours, from 0; lines of one run share one."""
    is_dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart with its axes. Its page also shows `summary` as a table, for those who cannot see or run the chart."""

    title: str
    x_label: str
    y_label: str
    """With the unit."""
    lines: Sequence[Line]
    better: Literal["", "lower", "higher"] = ""

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script draws: the x of all lines together, and for each line a y or null at every x."""
        lines = [_thinned(line) for line in self.lines]
        x = sorted({value for line in lines for value in line.x})
        drawn = []
        for line in lines:
            points = dict(zip(line.x, line.y, strict=True))
            values = [points.get(value) for value in x]
            drawn.append({"label": line.label, "y": values, "color": line.color, "dashed": line.is_dashed})
        return {"x": x, "xLabel": self.x_label, "yLabel": self.y_label, "lines": drawn}

    @property
    def summary(self) -> list[tuple[str, float, float, float, float]]:
        """For each line with points: label, first value, best value, the x of the best, last value."""
        best = max if self.better == "higher" else min
        rows = []
        for line in self.lines:
            if line.y:
                place = best(range(len(line.y)), key=line.y.__getitem__)
                rows.append((line.label, line.y[0], line.y[place], line.x[place], line.y[-1]))
        return rows


def library() -> dict[str, str]:
    """uPlot's script and style sheet, by the endings `js` and `css`.

    Raises UserError when they are not installed or are not the files that were tested.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise UserError(f"{PACKAGE}, which brings the chart library, is not installed; see envs/report.yaml") from None
    found = {}
    for name, checksum in LIBRARY.items():
        content = Path(str(package.locate_file(name))).read_bytes()
        if hashlib.sha256(content).hexdigest() != checksum:
            raise UserError(f"{name} of {PACKAGE} {package.version} is not uPlot 1.6.31; install the pinned version")
        found[name.rsplit(".", 1)[1]] = content.decode()
    return found


def _thinned(line: Line) -> Line:
    """At most MAXIMUM_POINTS of a line, evenly spread, the last among them."""
    count = len(line.x)
    if count <= MAXIMUM_POINTS:
        return line
    kept = [round(number * (count - 1) / (MAXIMUM_POINTS - 1)) for number in range(MAXIMUM_POINTS)]
    return Line(line.label, [line.x[i] for i in kept], [line.y[i] for i in kept], line.color, line.is_dashed)
