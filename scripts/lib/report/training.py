"""How training went: loss curves of both stages, and the facts of their manifests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lib.report.charts import Chart, Line
from lib.report.tables import Cell, Column, RichText, Table, number_text, text_column

STAGES = {"pretrain": "Continued pretraining", "sft": "Instruction tuning"}
FACTS: Mapping[str, Cell] = {
    "steps": "steps",
    "best_step": "best step",
    "validation_loss_at_start": RichText("validation loss at the start", note="nats per token"),
    "best_validation_loss": RichText("best validation loss", note="nats per token, ↓ lower is better"),
    "trainable_parameters": "trained parameters",
}
SETTINGS = ("method", "rank", "alpha", "learning_rate", "schedule", "batch_size", "gradient_accumulation")
LOSS = "loss, nats per token"
FAULTS = ("diverged", "overfits", "unstable", "never improved")
"""Verdicts on a run that call for a change of its settings."""


def read_log(path: Path) -> pd.DataFrame:
    """A trainer's log: at least the columns step, loss and eval_loss, empty where nothing was measured."""
    log = pd.read_csv(path, sep="\t")
    return log.reindex(columns=[*log.columns, *({"step", "loss", "eval_loss"} - set(log.columns))])


def loss_lines(log: pd.DataFrame, name: str = "", color: int = 0, validation_color: int | None = None) -> list[Line]:
    """Training (dashed) and validation loss of one run by step; `name` goes before their labels.

    Give each run a `color` to draw several in one Chart; a run by itself may have another one for validation.
    """
    prefix = f"{name}: " if name else ""
    lines = []
    for column, label in (("loss", "training"), ("eval_loss", "validation")):
        points = log.dropna(subset=[column])
        is_training = column == "loss"
        lines.append(
            Line(
                prefix + label,
                points["step"].tolist(),
                points[column].tolist(),
                color if is_training or validation_color is None else validation_color,
                is_dashed=is_training,
            )
        )
    return [line for line in lines if line.x]


def loss_charts(logs: Mapping[str, pd.DataFrame]) -> list[Chart]:
    """A chart for each stage that was trained; `logs` by the names in STAGES."""
    return [
        Chart(STAGES[stage], "step", LOSS, loss_lines(log, validation_color=1), better="lower")
        for stage, log in logs.items()
        if loss_lines(log)
    ]


def warnings(manifests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each stage that never was better than its start; `manifests` by the names in STAGES."""
    return [
        f"{STAGES[stage]} never beat its start: the validation loss was "
        f"{number_text(manifest['counts']['validation_loss_at_start'])} before the first step and "
        f"{number_text(manifest['counts']['best_validation_loss'])} at best."
        for stage, manifest in manifests.items()
        if manifest["facts"].get("worse_than_start")
    ]


def verdicts(manifests: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """For each stage, what its curves say, and whether it is a fault; `manifests` by the names in STAGES."""
    found = [(STAGES[stage], manifest["facts"].get("verdict")) for stage, manifest in manifests.items()]
    return [(f"{title}: {verdict['sentence']}.", verdict["name"] in FAULTS) for title, verdict in found if verdict]


def tokens_read(pretrain: Mapping[str, Any]) -> int:
    """Tokens that stage 1 read in its steps, by its manifest."""
    settings = pretrain["settings"]
    sequences = settings["batch_size"] * settings["gradient_accumulation"] * pretrain["facts"]["processes"]
    return int(pretrain["counts"]["steps"] * sequences * settings["block_size"])


def training_table(manifests: Mapping[str, Mapping[str, Any]]) -> Table:
    """Facts and settings of the stages, a column each; `manifests` by the names in STAGES."""
    rows: list[list[Cell]] = []
    settings: Mapping[str, Cell] = {name: name.replace("_", " ") for name in SETTINGS}
    for group, names in (("counts", FACTS), ("settings", settings)):
        for key, label in names.items():
            values = [manifest[group].get(key) for manifest in manifests.values()]
            if any(value is not None for value in values):
                rows.append([label, *map(number_text, values)])
    return Table("Training", [text_column(""), *(Column(STAGES[stage]) for stage in manifests)], rows)
