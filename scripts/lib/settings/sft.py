"""Settings of the sft stage."""

from pydantic import Field

from lib.settings.base import StageSettings
from lib.settings.training import TrainingSettings


class InstructionSettings(StageSettings):
    """How instruction records become training examples."""

    max_length: int = Field(default=512, ge=16)
    """Examples with more tokens than this are left out, counted and listed."""
    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Share of the examples held out from training, chosen by a hash of the prompt."""


class SftSettings(InstructionSettings, TrainingSettings):
    sources: str = "config/instructions.tsv"
    """Sheet with one row per instruction set."""
