"""Settings of experiments: what varies, how long each point trains, and what points are compared by."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lib.core.errors import UserError
from lib.settings.base import StageSettings, validate

Value = Any
"""Of a key of the settings; the key's own model checks it."""


class Range(StageSettings):
    """Values between two numbers, for `method: random`. Whole numbers when both ends are."""

    lowest: int | float
    highest: int | float
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError(f"lowest ({self.lowest:g}) must be below highest ({self.highest:g})")
        if self.scale == "log" and self.lowest <= 0:
            raise ValueError(f"scale: log needs a lowest value above 0, not {self.lowest:g}")
        return self


class SweepSettings(StageSettings):
    settings: dict[str, list[Value] | Range] = Field(default_factory=dict)
    """What varies: dotted keys of `tokenizer`, `pretrain` and `sft`, each with a list of values; with `method: random`
    also `{lowest: 1.0e-4, highest: 1.0e-2, scale: log}`. `seed` can vary, too: how far points with other seeds of
    training lie apart is chance."""
    points: list[dict[str, Value]] = Field(default_factory=list)
    """The points themselves, in place of `settings`: a list of mappings of dotted keys to values."""
    method: Literal["grid", "random"] = "grid"
    """Which points are made of `settings`: all combinations, or `count` random ones."""
    count: int = Field(default=8, ge=1, le=1_000)
    """With `method: random`: number of points."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """With `method: random`: seed of the choice of points."""
    metric: Literal["text_bits_per_character", "response_bits_per_character"] = "text_bits_per_character"
    """What points are compared by, on held-out text or held-out responses; lower is better."""
    max_steps: int | None = Field(default=None, ge=1)
    """Training steps of each point, in each stage that varies. Not given: as many as a whole run has. Set it to save
    time; what is best after few steps need not be best after many."""
    minutes: float | None = Field(default=None, gt=0)
    """Minutes of training of each point, in each stage that varies, in place of `max_steps`: fast points get more
    steps. Loading and measuring take time beside it. Only points that train on equal machines can be compared."""
    max_characters: int = Field(default=20_000, ge=100)
    """Maximum number of held-out characters that each point is scored on. More tell smaller differences apart."""
    rungs: int = Field(default=1, ge=1, le=10)
    """Rungs of successive halving: with 1, every point trains for all steps. With more, all points begin with fewer
    steps, and those that are kept train anew with more, up to `max_steps` or `minutes` in the last rung."""
    kept: float = Field(default=0.5, gt=0, lt=1)
    """With several rungs: share of the points that is kept for the next rung, and share of the next rung's steps that a
    rung has. The run's own settings always stay, to be compared with."""

    @field_validator("settings", mode="before")
    @classmethod
    def _are_lists_or_ranges(cls, settings: object) -> object:
        for key, values in settings.items() if isinstance(settings, Mapping) else ():
            if isinstance(values, Mapping):
                try:
                    validate(Range, values, where=key)
                except UserError as error:
                    raise ValueError(str(error)) from None
            elif not isinstance(values, list) or not values:
                raise ValueError(f"{key} needs a list of values")
        return settings

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.max_steps and self.minutes:
            raise ValueError("max_steps and minutes both say how long points train; give one of them")
        if self.settings and self.points:
            raise ValueError("settings and points both say what varies; give one of them")
        ranges = [key for key, values in self.settings.items() if isinstance(values, Range)]
        if self.method == "grid" and ranges:
            raise ValueError(f"{ranges[0]} is a range, and a grid needs lists; give values, or set method: random")
        return self
