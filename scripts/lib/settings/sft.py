"""Settings of the sft stage."""

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lib.settings.base import StageSettings
from lib.settings.training import TrainingSettings


def _check_template(name: str) -> str:
    if name in ("base", "chatml", "article") or name.endswith(".jinja"):
        return name
    raise ValueError("give 'base', 'chatml', 'article', or the path of a file that ends in .jinja")


class InstructionSettings(StageSettings):
    """How instruction records become training examples."""

    on_broken_record: Literal["quarantine", "stop"] = "quarantine"
    """What becomes of records that cannot be read or repaired: they are set aside and counted, or the run stops."""
    maximum_broken_records: float = Field(default=0.05, ge=0, le=1)
    """Maximum share of the records of a set that may be set aside; with more, the run stops. Raise it for a set that is
    known to be uneven."""
    template: Annotated[str, AfterValidator(_check_template)] = "base"
    """Chat template: `base` is the base model's own; or `chatml`, `article`, or the path of a Jinja file (`.jinja`)."""
    control_tokens: list[str] = Field(default_factory=list)
    """Special tokens that a template of your own writes; the vocabulary gets those that it lacks, with rows."""
    system: str | None = None
    """System prompt of conversations that have none; empty takes out the template's own, null leaves that."""
    refused_system: Literal["before_question", "skip"] = "before_question"
    """Where a template refuses system prompts: write them before the first question, or leave such records out."""
    date: datetime.date = datetime.date(2025, 1, 1)
    """Date that a chat template which asks for today's writes, in training and in the finished model's template."""
    max_length: int = Field(default=512, ge=16)
    """Maximum number of tokens of an example; see `too_long`. Raise it for long conversations if memory allows."""
    too_long: Literal["drop_turns", "skip"] = "drop_turns"
    """What becomes of longer examples: their oldest turns are dropped, or the whole example. Both are listed."""
    near_duplicates: bool = True
    """Drop near-duplicates of earlier examples, too; exact ones are always dropped."""
    near_duplicate_similarity: float = Field(default=0.8, gt=0, le=1)
    """Minimum estimated Jaccard similarity of n-grams at which two examples are near-duplicates."""
    packing: bool = False
    """Put several examples into one sequence of `max_length`, kept apart by attention. Saves time where lengths differ
    much."""
    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Share of the examples held out from training, chosen by a hash of system prompt and first question."""


class SftSettings(InstructionSettings, TrainingSettings):
    enabled: bool = True
    """Run stage 2; `false` leaves it out: no instructions are needed, and the run ends with the stage-1 model."""
    sources: str = "config/instructions.tsv"
    """Sheet with one row per instruction set."""
    continue_adapter: bool = False
    """Continue training the stage-1 adapter, as set in `pretrain`, instead of a new one on the merged model."""
    embeddings: Literal["new_rows", "all", "none"] = "none"
    """Embedding rows trained beside the adapter: those of new tokens, all rows with the head, or none. Take `new_rows`
    where stage 1 has not trained them, as for control tokens that a template adds."""
