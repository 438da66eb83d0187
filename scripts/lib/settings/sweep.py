"""Settings of the sweep over vocabulary sizes."""

from typing import Annotated

from pydantic import AfterValidator, Field

from lib.settings.base import StageSettings
from lib.settings.tokenizer import MOST_NEW_TOKENS


def _check_sizes(sizes: list[int]) -> list[int]:
    if not sizes or not all(0 <= size <= MOST_NEW_TOKENS for size in sizes):
        raise ValueError(f"give whole numbers from 0 to {MOST_NEW_TOKENS:,}")
    return sorted(set(sizes))


class BriefTrainingSettings(StageSettings):
    """How long the model of each size is trained."""

    steps: int = Field(default=120, ge=1)
    """Training steps for each size; all else is as in `pretrain`."""
    score_steps: int = Field(default=60, ge=1)
    """Steps between two scores on held-out text."""


class SweepSettings(BriefTrainingSettings):
    sizes: Annotated[list[int], AfterValidator(_check_sizes)] = Field(default=[0, 500, 1_000, 2_000, 4_000, 8_000])
    """Numbers of new tokens that are compared; the other settings of `tokenizer` hold for all."""
