"""The table of scores, one row per model, and how it reads on a terminal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.errors import UserError
from lib.evaluation.figures import OVERALL
from lib.evaluation.forgetting import forgetting
from lib.evaluation.intervals import Interval
from lib.settings.evaluation import FIGURES, MODELS, figure_of

COLUMNS = {
    "text_bits_per_character": "held-out text",
    "response_bits_per_character": "responses",
    "control_bits_per_character": "control text",
    "text_characters_per_token": "chars/token",
}
"""The columns of the table that are printed, with their headings."""


def score_table(results: list[dict[str, Any]], figures: pd.DataFrame) -> pd.DataFrame:
    """One row per result of `evaluate`, in the order of `MODELS`: the overall figures.

    `figures` is the table of `figure_table`, from which come those that are not bits per character.
    """
    rows = []
    for result in in_order(results):
        text, responses = ((result[measured] or {"overall": {}})["overall"] for measured in ("text", "responses"))
        control = result["control"] or {}
        rows.append(
            {
                "model": result["model"],
                "text_bits_per_character": text.get("bits_per_character"),
                "text_bits_per_byte": text.get("bits_per_byte"),
                "text_characters_per_token": text.get("characters_per_token"),
                "response_bits_per_character": responses.get("bits_per_character"),
                "response_bits_per_byte": responses.get("bits_per_byte"),
                "control_bits_per_character": control.get("bits_per_character"),
                "answers_ended": sum(answer["ended"] for answer in result["answers"]),
            }
        )
    table = pd.DataFrame(rows)
    overall = figures[figures["part"] == OVERALL].pivot(index="model", columns="figure", values="value")
    for name in dict.fromkeys(figures["figure"]):
        if name not in table:
            table[name] = table["model"].map(overall[name])
    return table


def parts_table(results: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per model and part: a source of held-out text, or a category of responses."""
    rows = [
        {"model": result["model"], "measured": measured, "part": part, **figures}
        for result in in_order(results)
        for measured in ("text", "responses")
        if result[measured]
        for part, figures in result[measured]["parts"].items()
    ]
    return pd.DataFrame(rows, columns=None if rows else ["model", "measured", "part"])


def in_order(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results in the order in which the pipeline makes the models."""
    return sorted(results, key=lambda result: list(MODELS).index(result["model"]))


def read_score_table(path: Path) -> pd.DataFrame:
    """A table that `scores` wrote; UserError when it is not there yet."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; `make run` makes it")
    return pd.read_csv(path, sep="\t")


@dataclass(frozen=True)
class Change:
    """What a figure of a model is against the base model's."""

    what: str
    """Figure and stage, for people."""
    figure: str
    interval: Interval
    """In percent where `is_relative`, else in the figure's unit."""
    is_relative: bool
    verdict: str

    @property
    def amount(self) -> str:
        """The change with its sign."""
        return self._text(self.interval.value, signed=True)

    @property
    def bounds(self) -> str:
        """The interval; empty where there were too few texts for one."""
        if pd.isna(self.interval.low):
            return ""
        return f"[{self._text(self.interval.low)}, {self._text(self.interval.high)}]"

    def _text(self, value: float, signed: bool = False) -> str:
        number = f"{value:+.1f}" if self.is_relative else f"{value:+.3f}"
        return f"{number} %" if self.is_relative and signed else number


def changes(differences: pd.DataFrame) -> list[Change]:
    """What the run achieved against the base model.

    `differences` is the table of `difference_table`. Held-out text is compared after pretraining, everything else with
    the last model.
    """
    against_base = differences[differences["against"] == "base"]
    if against_base.empty:
        return []
    models = list(dict.fromkeys(against_base["model"]))
    found = []
    for name in dict.fromkeys([*FIGURES, *against_base["figure"]]):
        model = "pretrained" if name == "text_bits_per_character" and "pretrained" in models else models[-1]
        for _, row in against_base[(against_base["model"] == model) & (against_base["figure"] == name)].iterrows():
            found.append(_change(row))
    return found


def _change(row: "pd.Series[Any]") -> Change:
    figure = figure_of(row["figure"])
    title = figure.title if figure else row["figure"]
    kind = "percent" if figure and figure.is_relative else "difference"
    interval = Interval(*(float(row[f"{kind}{bound}"]) for bound in ("", "_low", "_high")))
    what = f"{title} {MODELS[row['model']]}"
    return Change(what, row["figure"], interval, kind == "percent", row["verdict"])


def percent_change(table: pd.DataFrame, column: str, model: str) -> float | None:
    """Change of `column` from the base model to `model`, in percent; None when one of them is not there."""
    values = table.set_index("model")[column]
    if model not in values or "base" not in values:
        return None
    before, after = values["base"], values[model]
    return None if pd.isna(before) or pd.isna(after) or not before else float(100 * (after - before) / before)


def render(table: pd.DataFrame, differences: pd.DataFrame) -> str:
    """The table for a terminal, aligned, with a line on how to read it and one for each change."""
    columns = [column for column in COLUMNS if table[column].notna().any()]
    grid = [["bits per character", *(COLUMNS[column] for column in columns)]]
    for _, row in table.iterrows():
        grid.append([MODELS[row["model"]], *(_number(row[column]) for column in columns)])
    lines = _aligned(grid)
    lines.insert(1, "-" * len(lines[0]))
    lines += ["", "Lower is better: bits that the model needs for one character of text it was not trained on."]
    noted = changes(differences)
    if noted:
        lines += ["", "Against the base model, with 95 % intervals:"]
        rows = [[one.what, one.amount, one.bounds] for one in noted]
        lines += [f"  {line}  {one.verdict}" for line, one in zip(_aligned(rows), noted, strict=True)]
    lines += ["", *(f"{one.sentence[0].upper()}{one.sentence[1:]}." for one in forgetting(differences))]
    return "\n".join(lines).rstrip()


def _aligned(rows: list[list[str]]) -> list[str]:
    """The rows as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join([cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])
        for cells in rows
    ]


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.3f}"
