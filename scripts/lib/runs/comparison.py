"""Runs side by side: the settings in which they differ, their scores, their training curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.errors import UserError
from lib.core.outputs import read_json
from lib.evaluation.figures import difference_interval
from lib.evaluation.items import read_items, same_items
from lib.evaluation.score_table import COLUMNS, read_score_table
from lib.report.charts import Chart
from lib.report.tables import NOTHING, Cell, Column, RichText, Table, number_text, text_column, with_minus
from lib.report.training import LOSS, STAGES, loss_lines, read_log
from lib.runs.names import DEMO_NAME, run_folder
from lib.settings.evaluation import MODELS, figure_of

RECORDED = (
    *("base_model", "corpus", "tokenizer", "extended_model"),
    *("pretrain_data", "pretrain_lora", "sft_data", "sft_lora"),
)
"""Folders of results whose manifests hold the settings that they were made with."""
SECTIONS = {
    "extended_model": "tokenizer",
    "pretrain_data": "pretrain",
    "pretrain_lora": "pretrain",
    "sft_data": "sft",
    "sft_lora": "sft",
}
"""Of the settings, where the folder is called otherwise."""


@dataclass(frozen=True)
class Run:
    """What a run has made so far."""

    name: str
    results: Path

    @classmethod
    def of(cls, project: Path, name: str) -> "Run":
        """The run of that name, `demo` being the one without; UserError when it has no results."""
        results = project / run_folder("" if name == DEMO_NAME else name) / "results"
        if not any(results.glob("*/*")):
            raise UserError(f"there is no run {name!r}: {results} holds no results")
        return cls(name, results)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Value by dotted key, as the manifests of its stages have them: what the results were made with."""
        found: dict[str, Any] = {}
        for folder in RECORDED:
            path = self.results / folder / "manifest.json"
            if not path.is_file():
                continue
            manifest = read_json(path)
            section = SECTIONS.get(folder, folder)
            found |= {f"{section}.{key}": value for key, value in manifest["settings"].items()}
            if manifest.get("seed") is not None:
                found["seed"] = manifest["seed"]
        return found

    @cached_property
    def scores(self) -> dict[tuple[str, str], float]:
        """Figure by model and column of the table of scores."""
        path = self.results / "evaluation" / "scores.tsv"
        if not path.is_file():
            return {}
        table = read_score_table(path).set_index("model")
        return {
            (str(model), str(column)): float(value)
            for model, row in table.iterrows()
            for column, value in row.items()
            if (column in COLUMNS or figure_of(str(column))) and pd.notna(value)
        }

    def items(self, model: str, figure: str) -> pd.DataFrame | None:
        """What was measured on each text for a figure of a model; None where there is nothing."""
        path = self.results / "evaluation" / "items" / f"{model}.tsv"
        if not path.is_file():
            return None
        items = read_items(path)
        found = items[items["figure"] == figure]
        return None if found.empty else found


def settings_table(runs: Sequence[Run]) -> Table:
    """A row for each setting in which the runs differ; a dash where a run has not got so far."""
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    rows: list[list[Cell]] = []
    for key in keys:
        values = [str(run.settings[key]) if key in run.settings else NOTHING for run in runs]
        if len(set(values)) > 1:
            rows.append([RichText(key, is_code=True), *(RichText(value, is_code=True) for value in values)])
    return Table("Settings that differ", [text_column("key"), *(text_column(run.name) for run in runs)], rows)


def scores_table(runs: Sequence[Run]) -> Table:
    """A row for each model and what it was measured on; beside each figure its difference from the first run's."""
    rows: list[list[Cell]] = []
    for model, title in MODELS.items():
        for column in dict.fromkeys(column for run in runs for name, column in run.scores if name == model):
            known = figure_of(column)
            measure = COLUMNS.get(column) or (known.title if known else column)
            rows.append([title, measure, *(_beside(run, runs[0], model, column) for run in runs)])
    columns = [text_column("model"), text_column("measured on"), *(Column(run.name) for run in runs)]
    return Table("Scores", columns, rows)


def _beside(run: Run, first: Run, model: str, column: str) -> Cell:
    """A figure of a run; beside it the difference from that of the first one, its interval and what that says."""
    value, reference = (one.scores.get((model, column)) for one in (run, first))
    if value is None or reference is None or run is first:
        return number_text(value)
    if value == reference:
        return RichText(number_text(value), "same")
    note = f"{value - reference:+.3f}"
    figure, items = figure_of(column), [one.items(model, column) for one in (run, first)]
    if figure and items[0] is not None and items[1] is not None:
        difference = difference_interval(items[0], items[1])
        if not math.isnan(difference.low):
            note += f" [{difference.low:.3f}, {difference.high:.3f}]"
        note += f", {difference.verdict(figure.better)}"
        if not same_items(items[0], items[1]):
            note += " (different texts)"
    return RichText(number_text(value), with_minus(note))


def charts(runs: Sequence[Run]) -> list[Chart]:
    """For each stage, the losses of all runs on one axis."""
    found = []
    for stage, title in STAGES.items():
        lines = []
        for color, run in enumerate(runs):
            path = run.results / f"{stage}_lora" / "trainer_log.tsv"
            if path.is_file():
                lines += loss_lines(read_log(path), run.name, color)
        if lines:
            found.append(Chart(title, "step", LOSS, lines, better="lower"))
    return found


def as_text(table: Table) -> str:
    """A table for a terminal, its columns aligned."""
    rows = [[column.title for column in table.columns], *([_plain(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _plain(cell: Cell) -> str:
    if isinstance(cell, RichText):
        return f"{cell.text} ({cell.note})" if cell.note else cell.text
    return str(cell)
