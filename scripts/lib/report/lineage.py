"""What a model was made from, and with which settings."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lib.report.tables import NOTHING, Cell, RichText, Table, number_text, text_column

Manifest = Mapping[str, Any]


def lineage_table(manifests: Mapping[str, Manifest], seed: int) -> Table:
    """A row for each step of the run that there is a manifest of; `manifests` by stage name."""
    rows: list[list[Cell]] = []
    if base := manifests.get("base_model"):
        license = base["facts"].get("license") or "not stated"
        parameters = number_text(base["counts"].get("parameters"))
        note = f"{parameters} parameters, licence: {license}"
        rows.append(["base model", RichText(str(base["facts"].get("uri", NOTHING)), note, is_code=True)])
    if corpus := manifests.get("corpus"):
        rows += [
            ["corpus", RichText(source, f"licence: {license or 'not stated'}")]
            for source, license in corpus["facts"].get("licenses", {}).items()
        ]
    if tokenizer := manifests.get("tokenizer"):
        counts = tokenizer["counts"]
        before, after = (
            number_text(counts.get(f"characters_per_token_{vocabulary}")) for vocabulary in ("base", "extended")
        )
        note = f"characters per token of held-out text: {before} before, {after} after (↑ higher is better)"
        rows.append(["vocabulary", RichText(f"{number_text(counts.get('new_tokens'))} new tokens", note)])
    if sft_data := manifests.get("sft_data"):
        counts = sft_data["counts"]
        note = f"{number_text(counts.get('train'))} to train on, {number_text(counts.get('validation'))} held out"
        if manifests.get("pretrain", {}).get("settings", {}).get("include_instructions"):
            note += "; read in pretraining, too"
        rows.append(["instructions", RichText(", ".join(map(str, sft_data["facts"].get("sets", []))), note)])
    rows.append(["seed", str(seed)])
    return Table("Lineage", [text_column("made from"), text_column("")], rows)


def changed_settings(settings: BaseModel) -> Table:
    """The settings that differ from their defaults, with both values."""
    rows = [
        [RichText(text, is_code=True) for text in (key, _text(value), _text(default))]
        for key, value, default in _settings(settings)
        if value != default
    ]
    return Table("Settings that differ from the defaults", [*map(text_column, ("key", "value", "default"))], rows)


def all_settings(settings: BaseModel) -> Table:
    """Every setting of the run."""
    rows = [[RichText(text, is_code=True) for text in (key, _text(value))] for key, value, _ in _settings(settings)]
    return Table("All settings", [*map(text_column, ("key", "value"))], rows)


def _settings(settings: BaseModel, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """(dotted key, value, default) of every setting; the default of a required one is None."""
    found: list[tuple[str, Any, Any]] = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            found += _settings(value, f"{prefix}{name}.")
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            found.append((prefix + name, value, default))
    return found


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value)) or NOTHING
    return NOTHING if value is None else str(value)
