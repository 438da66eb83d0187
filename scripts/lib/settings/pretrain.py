"""Settings of the pretrain stage."""

from pydantic import Field, field_validator

from lib.settings.base import StageSettings
from lib.settings.training import TrainingSettings


class PackingSettings(StageSettings):
    """How text becomes blocks of tokens."""

    block_size: int = Field(default=512, ge=8)
    """Tokens in one training sequence. Raise it to what the base was trained with, as far as memory allows."""
    include_instructions: bool = False
    """Train, and fit new rows, on the training examples of stage 2, too, each as a document. Helps responses in short
    runs."""


class PretrainSettings(PackingSettings, TrainingSettings):
    enabled: bool = True
    """Run stage 1; `false` leaves it out, and stage 2 starts from the base model with its new tokens, if any."""
    uri: str | None = None
    """Address of a stage-1 model of your own, a Hugging Face directory: it takes the place of the one that would be
    trained, with its own tokenizer. The rest of this section and `tokenizer` then have no effect."""
    replay: dict[str, float] = Field(default_factory=dict)
    """Shares of the training tokens by source, such as `{english: 0.1}`, sampled from these sources, against
    forgetting; 0 leaves a source out. They take the place of the sheet's column `replay`."""
    validation_blocks: int = Field(default=32, ge=1)
    """Maximum number of held-out blocks that the validation loss is measured on. Lower it to save time."""

    @field_validator("replay")
    @classmethod
    def _are_shares(cls, replay: dict[str, float]) -> dict[str, float]:
        for name, share in replay.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name}: a share is at least 0 and less than 1, not {share:g}")
        return replay
