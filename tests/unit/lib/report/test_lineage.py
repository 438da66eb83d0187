"""Lineage and settings as tables."""

from lib.report.lineage import all_settings, changed_settings, lineage_table
from lib.report.tables import RichText, Table
from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings


def texts(table: Table) -> list[list[str]]:
    return [[cell.text if isinstance(cell, RichText) else str(cell) for cell in row] for row in table.rows]


def test_settings_that_differ_with_their_defaults() -> None:
    values = {"base_model": {"uri": "m"}, "evaluation": {"prompts": ["a", "b"]}, "sft": {"rank": 16, "alpha": 64}}
    settings = validate(PipelineSettings, values)
    assert texts(changed_settings(settings)) == [
        ["base_model.uri", "m", "–"],
        ["sft.alpha", "64.0", "32"],
        ["evaluation.prompts", "a\nb", "–"],
    ]
    everything = dict(texts(all_settings(settings)))
    assert (everything["seed"], everything["sft.rank"]) == ("1", "16")


def test_a_run_tells_what_it_has() -> None:
    base = {"facts": {"uri": "hf:org/model@main"}, "counts": {"parameters": 1_000}}
    assert texts(lineage_table({"base_model": base}, 7)) == [["base model", "hf:org/model@main"], ["seed", "7"]]
