"""The whole settings file: one section per stage."""

from typing import Self

from pydantic import Field, model_validator

from lib.core.integrity import DEFAULT_MEGABYTES
from lib.settings.base import StageSettings
from lib.settings.base_model import BaseModelSettings
from lib.settings.corpus import CorpusSettings
from lib.settings.evaluation import EvaluationSettings
from lib.settings.export import ExportSettings
from lib.settings.pretrain import PretrainSettings
from lib.settings.sft import SftSettings
from lib.settings.sweep import SweepSettings
from lib.settings.tokenizer import TokenizerSettings
from lib.settings.training import AdapterSettings, ProcessSettings

RUN_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"


class ClusterSettings(StageSettings):
    max_minutes: int = Field(default=720, ge=1)
    """Maximum wall time of a job in minutes. Set it to the partition's limit. Training asks for all of it and
    continues in the next job; other jobs ask for an hour or two, and for twice as much after a timeout."""
    max_memory: int | None = Field(default=None, ge=1)
    """Maximum memory of a job on each node, in MB. Set it to what the partition's nodes have. Not given: no limit."""


class PipelineSettings(ProcessSettings):
    run: str | None = Field(default=None, pattern=rf"^{RUN_NAME}$")
    """Name of the run, in letters, digits, `-`, `_` and `.`: everything it makes is in `runs/NAME`. When not given, the
    name of the settings file, or of the last one of several."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Seed of every random choice. Change it to see how much results depend on chance."""
    checksum_megabytes: int = Field(default=DEFAULT_MEGABYTES, ge=1)
    """Maximum size in megabytes of a file whose checksum a program compares with its manifest before it reads the file;
    of larger ones, the size. A gigabyte takes about 0.6 seconds. `make verify-files` compares all checksums."""
    base_model: BaseModelSettings
    """The model to adapt."""
    corpus: CorpusSettings = Field(default_factory=CorpusSettings)
    """Text: fetch, clean, deduplicate, split."""
    tokenizer: TokenizerSettings = Field(default_factory=TokenizerSettings)
    """New tokens and their embedding rows."""
    pretrain: PretrainSettings = Field(default_factory=PretrainSettings)
    """Stage 1: continued pretraining on the corpus."""
    sft: SftSettings = Field(default_factory=SftSettings)
    """Stage 2: supervised fine-tuning on instructions."""
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    """Scores and sample answers."""
    export: ExportSettings = Field(default_factory=ExportSettings)
    """The finished model for other programs, written only when it is asked for (`make export`)."""
    sweep: SweepSettings = Field(default_factory=SweepSettings)
    """Experiments with the settings, made only when results/sweep/best.yaml is asked for."""
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)
    """What jobs may ask of a SLURM cluster. Nothing here changes a result."""

    @property
    def trains_stage_1(self) -> bool:
        """Whether stage 1 is trained in this run."""
        return self.pretrain.enabled and self.pretrain.uri is None

    @model_validator(mode="after")
    def _stages_have_what_they_need(self) -> Self:
        if self.pretrain.uri and not self.pretrain.enabled:
            raise ValueError("pretrain.uri names a stage-1 model, but pretrain.enabled is false; remove one of the two")
        if self.trains_stage_1 and not self.corpus.enabled:
            raise ValueError("pretrain trains on the corpus, but corpus.enabled is false; set pretrain.enabled: false")
        learns = self.tokenizer.new_tokens and not (self.tokenizer.uri or self.pretrain.uri)
        if learns and not self.corpus.enabled:
            raise ValueError(
                "tokens are learned from the corpus, but corpus.enabled is false; set tokenizer.new_tokens: 0"
            )
        if self.trains_stage_1 and self.pretrain.include_instructions and not self.sft.enabled:
            raise ValueError("pretrain.include_instructions reads those of stage 2; set sft.enabled: true")
        return self

    @model_validator(mode="after")
    def _auto_knows_how_long_stage_1_is(self) -> Self:
        if self.tokenizer.new_tokens == "auto" and self.trains_stage_1 and self.pretrain.minutes:
            raise ValueError(
                "tokenizer.new_tokens: auto follows from how much stage 1 reads, which pretrain.minutes leaves open; "
                "set pretrain.max_steps or epochs instead, or tokenizer.new_tokens to a number"
            )
        return self

    @model_validator(mode="after")
    def _adapters_to_export(self) -> Self:
        for name, is_trained in (("pretrain", self.trains_stage_1), ("sft", self.sft.enabled)):
            if f"adapter-{name}" in self.export.formats:
                if not is_trained:
                    raise ValueError(f"export.formats: there is no adapter-{name}, because that stage is not trained")
                if getattr(self, name).method != "lora":
                    raise ValueError(f"export.formats: there is no adapter-{name} with {name}.method: full")
        return self

    @model_validator(mode="after")
    def _several_processes_for_fsdp(self) -> Self:
        for name, stage in (("pretrain", self.pretrain), ("sft", self.sft)):
            if stage.fsdp and self.processes_per_node * self.nodes == 1:
                raise ValueError(f"{name}.fsdp spreads weights over processes, but there is one; raise gpu or nodes")
        return self

    @model_validator(mode="after")
    def _a_gpu_for_fp16(self) -> Self:
        """On a CPU, accelerate leaves fp16 out without a word."""
        for name, stage in (("pretrain", self.pretrain), ("sft", self.sft)):
            if stage.precision == "fp16" and not self.gpu:
                raise ValueError(f"{name}.precision: fp16 needs a GPU; raise gpu, or take bf16 or fp32")
        return self

    @model_validator(mode="after")
    def _one_adapter(self) -> Self:
        """With `sft.continue_adapter`, stage 2 has stage 1's adapter settings."""
        if not self.sft.continue_adapter:
            return self
        for key in sorted(self.sft.model_fields_set & set(AdapterSettings.model_fields)):
            raise ValueError(f"sft.{key} has no effect with sft.continue_adapter; set pretrain.{key}")
        if not self.trains_stage_1:
            raise ValueError("sft.continue_adapter needs an adapter to go on from, but stage 1 is not trained")
        if self.pretrain.method != "lora":
            raise ValueError("sft.continue_adapter needs an adapter to go on from; set pretrain.method to lora")
        adapter = {key: getattr(self.pretrain, key) for key in AdapterSettings.model_fields}
        return self.model_copy(update={"sft": self.sft.model_copy(update=adapter)})
