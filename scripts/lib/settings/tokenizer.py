"""Settings of the tokenizer stage."""

from typing import Literal

from pydantic import Field

from lib.settings.base import StageSettings


class VocabularySettings(StageSettings):
    """How new tokens are learned."""

    new_tokens: int = Field(default=2_000, ge=0, le=500_000)
    """Number of tokens added to the base vocabulary; 0 keeps the base tokenizer as it is."""
    minimum_frequency: int = Field(default=2, ge=1)
    """A pair of tokens must stand together this often in the training text to be merged."""
    maximum_length: int = Field(default=16, ge=1)
    """Longest new token, in characters."""
    keep_ascii: bool = True
    """Leave the segmentation of plain ASCII text (English, code) exactly as it was."""


class InitializationSettings(StageSettings):
    """How the embedding rows of new tokens start."""

    initialization: Literal["mean", "random"] = "mean"
    """Start of a new embedding row: mean of the rows that the token replaces, or random."""


class TokenizerSettings(VocabularySettings, InitializationSettings):
    pass
