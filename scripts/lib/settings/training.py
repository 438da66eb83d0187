"""What both training stages can be told: adapter, optimizer, precision, checkpoints."""

from typing import Literal, Self

from pydantic import Field, model_validator

from lib.settings.base import StageSettings


class TrainingSettings(StageSettings):
    """Hyperparameters of a training run with LoRA adapters."""

    rank: int = Field(default=16, ge=1)
    """LoRA rank r: width of the low-rank update."""
    alpha: float = Field(default=32, gt=0)
    """LoRA alpha: the update is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the adapter's input."""
    target_modules: str | list[str] = "all-linear"
    """Linear layers that get an adapter: `all-linear`, or a list of module names."""
    epochs: float = Field(default=1, gt=0)
    """Passes over the training data, when `max_steps` is not given."""
    max_steps: int | None = Field(default=None, ge=1)
    """Number of optimizer steps; overrides `epochs`."""
    batch_size: int = Field(default=2, ge=1)
    """Sequences in one forward pass on one device."""
    gradient_accumulation: int = Field(default=1, ge=1)
    """Forward passes that add up to one optimizer step."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate of the adapters."""
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "cosine"
    """How the learning rate falls after warm-up."""
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from zero."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW weight decay."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic of the matrix products; `auto` takes bf16 where the hardware has it, then fp16 on a GPU, else fp32."""
    quantization: Literal["none", "8bit", "4bit"] = "none"
    """Load the frozen weights in 8 bits (LLM.int8) or 4 bits (NF4) through bitsandbytes."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    logging_steps: int = Field(default=5, ge=1)
    """Steps between two lines of progress."""
    eval_steps: int = Field(default=20, ge=1)
    """Steps between two measurements of the validation loss."""
    save_steps: int = Field(default=20, ge=1)
    """Steps between two checkpoints; a multiple of `eval_steps`, so that the best one can be kept."""
    save_total_limit: int = Field(default=2, ge=1)
    """Checkpoints kept on disk, the best one among them."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Save and stop after this many minutes; the next run goes on from there."""

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if self.save_steps % self.eval_steps:
            raise ValueError(f"save_steps ({self.save_steps}) must be a multiple of eval_steps ({self.eval_steps})")
        return self
