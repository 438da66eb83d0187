"""Settings of the evaluation stage."""

from typing import Literal

from pydantic import Field

from lib.settings.base import StageSettings


class ScoringSettings(StageSettings):
    """What is scored and asked."""

    max_characters: int = Field(default=8_000, ge=100)
    """Maximum number of held-out characters that are scored, evenly from every source; of the control text, too."""
    window_characters: int = Field(default=400, ge=50)
    """Maximum number of characters scored in one piece. Every model sees the same pieces."""
    max_instructions: int = Field(default=64, ge=1)
    """Maximum number of held-out instructions that are scored."""
    prompts: str | list[str] = Field(default_factory=list)
    """Questions that every model answers, for a person to read: a list, or the address of a file with one on each line
    or in the field `prompt` of each record."""
    max_new_tokens: int = Field(default=96, ge=1)
    """Maximum length of an answer to a prompt, in tokens."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of matrix products: `auto` takes bf16 where the hardware has it, then fp16 on a GPU, else fp32."""


class EvaluationSettings(ScoringSettings):
    control: str | None = None
    """Address of a file with text in the base model's own language, scored to show what was forgotten."""
