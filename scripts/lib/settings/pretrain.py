"""Settings of the pretrain stage."""

from pydantic import Field

from lib.settings.base import StageSettings
from lib.settings.training import TrainingSettings


class PackingSettings(StageSettings):
    """How text becomes blocks of tokens."""

    block_size: int = Field(default=512, ge=8)
    """Tokens in one training sequence."""
    include_instructions: bool = False
    """Train, and fit new rows, on the next stage's instructions, too (never on held-out ones), each as a document."""


class PretrainSettings(PackingSettings, TrainingSettings):
    enabled: bool = True
    """Run stage 1; `false` leaves it out, and stage 2 starts from the base model with its new tokens, if any."""
    uri: str | None = None
    """Address of a stage-1 model of your own, a Hugging Face directory: it takes the place of the one that would be
    trained, with its own tokenizer. The rest of this section and `tokenizer` then have no effect."""
    validation_blocks: int = Field(default=32, ge=1)
    """Most blocks of held-out text that the validation loss is measured on during training."""
