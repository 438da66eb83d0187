"""What both training stages can be told: what is trained, where, how, in which numbers, and when to save and stop."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lib.settings.base import StageSettings


class ProcessSettings(StageSettings):
    """The machines that train."""

    gpu: int = Field(default=0, ge=0)
    """GPUs of each node that train together, one process each; 0 trains on the CPU. Scoring takes one, if any."""
    processes: int = Field(default=1, ge=1)
    """Processes of each node that train together where there are no GPUs. Raise it on machines with many cores."""
    nodes: int = Field(default=1, ge=1)
    """Nodes that train together, in one SLURM job. Raise it when one node is too slow or too small."""

    @property
    def processes_per_node(self) -> int:
        """Processes that train on each node."""
        return self.gpu or self.processes

    @model_validator(mode="after")
    def _one_process_for_each_gpu(self) -> Self:
        if self.gpu and self.processes not in (1, self.gpu):
            raise ValueError(f"processes ({self.processes}) has no effect with gpu: {self.gpu}; leave it out")
        return self


class AdapterSettings(StageSettings):
    """Which parameters are trained."""

    method: Literal["lora", "full"] = "lora"
    """Train a LoRA adapter, or all weights (`full`), which takes about eight times the memory."""
    rank: int = Field(default=16, ge=1)
    """LoRA rank r: width of the low-rank update. Raise it for much text, lower it against overfitting."""
    alpha: float = Field(default=32, gt=0)
    """LoRA alpha: the update is scaled by alpha / rank. Usually once or twice the rank."""
    rslora: bool = False
    """Scale the update by alpha / √rank instead (rsLoRA). Switch it on for ranks of 64 and more."""
    dora: bool = False
    """Learn the norm of each weight column apart from its direction (DoRA). Slower; better at low ranks."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout probability on the adapter's input. Raise it to 0.05 or 0.1 against overfitting."""
    target_modules: str | list[str] = "all-linear"
    """Linear layers that get an adapter: `all-linear`, or a list of module names."""
    embeddings: Literal["new_rows", "all", "none"] = "new_rows"
    """Embedding rows trained beside the adapter: those of new tokens, all rows with the head, or none."""


class PrecisionSettings(StageSettings):
    """In which numbers the model computes, and what is given up for less memory."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of matrix products: `auto` takes bf16 where the hardware has it, then fp16 on a GPU, else fp32."""
    quantization: Literal["none", "8bit", "4bit"] = "none"
    """Load the frozen weights in 8 bits (LLM.int8) or 4 bits (NF4) with bitsandbytes, when the model does not fit the
    GPU."""
    llm_int8_threshold: float = Field(default=6.0, ge=0)
    """With `8bit`: inputs larger than this are multiplied in 16 bits; 0 switches that off."""
    fsdp: bool = False
    """Spread the frozen weights over all processes (FSDP2), for models larger than a GPU. The adapter is on each."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: much less memory, about a third more time."""
    compile: bool = False
    """Compile the layers (torch.compile): less time and memory on a GPU, half a minute more at the start. Needs gcc."""
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    """AdamW with its state in 32 bits, in 8 bits, or in 8 bits that move to main memory when the GPU is full."""


class OptimizationSettings(StageSettings):
    """How many steps there are, and what a step does."""

    epochs: float = Field(default=1, gt=0)
    """Passes over the training data; without effect when `max_steps` is given. Watch the validation loss when you raise
    it."""
    max_steps: int | None = Field(default=None, ge=1)
    """Number of optimizer steps; takes the place of `epochs`. Set it for short trials."""
    minutes: float | None = Field(default=None, gt=0)
    """Train for as many steps as fit into this time, judged by the first ones; takes the place of `epochs` and
    `max_steps`. The learning rate falls over just these steps. Loading and measuring take time beside it, and how many
    steps there are depends on the machine."""
    batch_size: int = Field(default=2, ge=1)
    """Sequences in one forward pass on one device. As many as memory allows."""
    gradient_accumulation: int = Field(default=1, ge=1)
    """Forward passes that add up to one optimizer step. Raise it for larger batches than memory allows."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate of the adapters, or of all weights with `method: full` (then ten times lower)."""
    embedding_learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate of trained embedding rows. Not given: as `learning_rate`. Give twice that for thousands of new
    tokens."""
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup", "warmup_stable_decay"] = "cosine"
    """How the learning rate falls after warm-up."""
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from zero. Raise it if the loss jumps at the start."""
    decay_ratio: float = Field(default=0.2, gt=0, lt=1)
    """With `warmup_stable_decay`: share of the steps, at the end, over which the learning rate falls to zero."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW weight decay."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Maximum norm of the gradient; larger ones are scaled down."""
    neftune_noise_alpha: float | None = Field(default=None, gt=0)
    """Strength of noise on the input embeddings (NEFTune), such as 5 against overfitting. Not given: none."""

    @field_validator("epochs", "max_steps", mode="before")
    @classmethod
    def _trains_something(cls, value: object) -> object:
        if value == 0:
            raise ValueError("nothing would be trained; to leave the stage out, set `enabled: false` in this section")
        return value


class LoopSettings(StageSettings):
    """When to log, measure, save, stop and publish.

    Nothing here shapes the weights of a step, so a run goes on from its checkpoints when one of these is changed.
    `eval_steps` and `early_stopping_patience` decide which step is published, not what its weights are.
    """

    logging_steps: int = Field(default=5, ge=1)
    """Steps between two lines of progress."""
    eval_steps: int = Field(default=20, ge=1)
    """Steps between two measurements of the validation loss. Raise it when they take much of the time."""
    early_stopping_patience: int | None = Field(default=None, ge=1)
    """Stop after this many measurements without a lower validation loss. Not given: never."""
    save_steps: int = Field(default=20, ge=1)
    """Steps between two checkpoints; the one with the lowest validation loss is saved, too. Lower it where jobs are
    killed often."""
    save_total_limit: int = Field(default=2, ge=1)
    """Maximum number of checkpoints on disk, beside the best one."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Save and stop after this many minutes; the next run continues. Set it below the wall-time limit of a cluster."""
    allow_worse: bool = False
    """Publish a run whose validation loss never falls below its start, marked as such, instead of ending in an error.
    A loss that is not a number always ends the run."""
    report_to: list[Literal["tensorboard", "wandb", "mlflow"]] = Field(default_factory=list)
    """Where curves go besides `trainer_log.tsv`: TensorBoard files in `logs/tensorboard`; others need a package."""


WITHOUT_EFFECT = (
    *("logging_steps", "save_steps", "save_total_limit", "max_minutes", "report_to"),
    *("enabled", "uri", "sources"),
)
"""Settings of a stage that change neither the weights of a step nor which step is published."""


RESOLVED = {"precision", "epochs", "max_steps", "minutes"}
"""Settings that only a run resolves."""


class TrainingSettings(AdapterSettings, PrecisionSettings, OptimizationSettings, LoopSettings):
    """Everything that a training run can be told."""

    def shaping(self) -> dict[str, Any]:
        """The values that shape the weights of a step, but for those that only a run resolves: precision and steps."""
        sections = (AdapterSettings, PrecisionSettings, OptimizationSettings)
        keys = {key for section in sections for key in section.model_fields} - RESOLVED
        if not self.compile:  # compiled code that computes something again may round otherwise
            keys.remove("gradient_checkpointing")
        return self.model_dump(mode="json", include=keys)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.method == "full" and self.quantization != "none":
            raise ValueError(f"method: full trains every weight, which {self.quantization} weights do not allow")
        if self.fsdp:
            self._can_be_spread()
        if self.schedule == "warmup_stable_decay" and self.warmup_ratio + self.decay_ratio > 1:
            raise ValueError("warmup_ratio and decay_ratio together are more than 1")
        return self

    def _can_be_spread(self) -> None:
        if self.method == "full":
            raise ValueError("fsdp spreads weights that are not trained, and method: full trains all of them")
        if self.embeddings == "all":
            raise ValueError("fsdp spreads the embedding, which embeddings: all trains; take new_rows or none")
        if self.quantization != "none":
            raise ValueError(f"fsdp cannot spread {self.quantization} weights; set quantization to none")
        if self.dora:
            raise ValueError("fsdp leaves no weight whole, and dora has to measure them all; set one of them to false")
