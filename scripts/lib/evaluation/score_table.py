"""The table of scores, one row per model, and how it reads on a terminal."""

from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.errors import UserError

MODELS = {
    "base": "base model",
    "extended": "new tokens, untrained",
    "pretrained": "after pretraining",
    "finetuned": "after fine-tuning",
}
"""The evaluated models in the order in which the pipeline makes them, with a name for people."""

COLUMNS = {
    "text_bits_per_character": "held-out text",
    "response_bits_per_character": "responses",
    "control_bits_per_character": "control text",
    "text_characters_per_token": "chars/token",
}
"""The columns of the table that are printed, with their headings."""


def score_table(results: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per result of `evaluate`, in the order of `MODELS`: the overall figures."""
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
    return pd.DataFrame(rows)


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
    """The table that `scores` wrote; UserError when it is not there yet."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; `make run` makes it")
    return pd.read_csv(path, sep="\t")


def change(table: pd.DataFrame, column: str, model: str) -> float | None:
    """Change of `column` from the base model to `model`, in percent; None when one of them is not there."""
    values = table.set_index("model")[column]
    if model not in values or "base" not in values:
        return None
    before, after = values["base"], values[model]
    return None if pd.isna(before) or pd.isna(after) or not before else float(100 * (after - before) / before)


def changes(table: pd.DataFrame) -> list[tuple[str, float]]:
    """What the run achieved: (what, change of bits per character against the base model, in percent)."""
    compared = [
        ("held-out text after pretraining", "text", "pretrained"),
        ("responses after fine-tuning", "response", "finetuned"),
        ("control text after both", "control", "finetuned"),
    ]
    found = [(what, change(table, f"{column}_bits_per_character", model)) for what, column, model in compared]
    return [(what, percent) for what, percent in found if percent is not None]


def render(table: pd.DataFrame) -> str:
    """The table for a terminal, aligned, with a line on how to read it and one for each change."""
    columns = [column for column in COLUMNS if table[column].notna().any()]
    grid = [["bits per character", *(COLUMNS[column] for column in columns)]]
    for _, row in table.iterrows():
        grid.append([MODELS[row["model"]], *(_number(row[column]) for column in columns)])
    widths = [max(map(len, cells)) for cells in zip(*grid, strict=True)]
    lines = [
        "  ".join([cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])
        for cells in grid
    ]
    lines.insert(1, "-" * len(lines[0]))
    lines += ["", "Lower is better: bits that the model needs for one character of text it was not trained on."]
    noted = changes(table)
    width = max((len(what) for what, _ in noted), default=0)
    lines += [f"  {what.ljust(width)}  {percent:+7.1f} %  against the base model" for what, percent in noted]
    return "\n".join(lines)


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.3f}"
