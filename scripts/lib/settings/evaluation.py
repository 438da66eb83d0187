"""Settings of the evaluation stage, and the figures that it measures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from lib.settings.base import StageSettings, nearest_name

MODELS = {
    "base": "base model",
    "extended": "new tokens, untrained",
    "pretrained": "after pretraining",
    "finetuned": "after fine-tuning",
}
"""The evaluated models in the order in which the pipeline makes them, with a name for people."""


@dataclass(frozen=True)
class Figure:
    """A figure that models are compared by."""

    title: str
    """What it was measured on."""
    unit: str
    better: Literal["lower", "higher"]

    @property
    def is_relative(self) -> bool:
        """Whether a change of it is told in percent of what it was."""
        return self.unit == BITS


BITS = "bits per character"
SHARE = "share"

FIGURES: Mapping[str, Figure] = {
    "text_bits_per_character": Figure("held-out text", BITS, "lower"),
    "response_bits_per_character": Figure("responses", BITS, "lower"),
    "control_bits_per_character": Figure("control text", BITS, "lower"),
    "answer_chrf": Figure("answers: chrF", "0 to 100", "higher"),
    "answer_rouge_l": Figure("answers: ROUGE-L", "0 to 100", "higher"),
    "answer_exact_match": Figure("answers: exact match", SHARE, "higher"),
    "answer_ended": Figure("answers: ended by themselves", SHARE, "higher"),
    "answer_repetition": Figure("answers: repetition", SHARE, "lower"),
    "answer_in_script": Figure("answers: in the target script", SHARE, "higher"),
    "choice_letter_accuracy": Figure("multiple choice by letter", SHARE, "higher"),
    "choice_text_accuracy": Figure("multiple choice by text", SHARE, "higher"),
    "cloze_accuracy": Figure("cloze questions", SHARE, "higher"),
}
HARNESS = "lm_eval."
"""What the names of figures begin with that lm-eval measures: `lm_eval.TASK.METRIC`."""


def figure_of(name: str) -> Figure | None:
    """The figure of that name; None when there is none."""
    if name.startswith(HARNESS) and name.count(".") >= 2:
        task, _, metric = name.removeprefix(HARNESS).rpartition(".")
        return Figure(f"lm-eval: {task}", metric, "higher")
    return FIGURES.get(name)


class ScoringSettings(StageSettings):
    """What is scored and asked."""

    max_characters: int = Field(default=8_000, ge=100)
    """Maximum number of held-out characters that are scored, evenly from every source; of the control text, too."""
    window_characters: int = Field(default=400, ge=50)
    """Maximum number of characters scored in one piece. Every model sees the same pieces."""
    max_instructions: int = Field(default=64, ge=1)
    """Maximum number of held-out instructions that are scored."""
    answered_instructions: int = Field(default=12, ge=0)
    """Maximum number of held-out instructions that each model but the untrained one answers, to compare its answers
    with the given ones; 0 for none."""
    answer_tokens: int = Field(default=32, ge=1)
    """Maximum length of such an answer, in tokens. Raise it where given answers are longer."""
    multiple_choice: str | None = None
    """Address of CSV files in the layout of C-Eval or CMMLU (question, A, B, C, D, answer), answered by likelihood: of
    the letter, and of the option's text per character. Files named `dev` hold examples."""
    shots: int = Field(default=0, ge=0, le=100)
    """Number of examples before each of these questions."""
    max_questions: int = Field(default=1_000, ge=1)
    """Maximum number of these questions of each subject. Lower it where a CPU has to answer them."""
    answer_label: str = "答案："
    """What stands before the answer to one of these questions. Give it in the language of the questions."""
    cloze_questions: int = Field(default=0, ge=0)
    """Maximum number of questions made from held-out text: a gap to be filled with the right one of four names."""
    prompts: str | list[str] = Field(default_factory=list)
    """Questions that every model answers, for a person to read: a list, or the address of a file with one on each line
    or in the field `prompt` of each record."""
    max_new_tokens: int = Field(default=96, ge=1)
    """Maximum length of an answer to a prompt, in tokens."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of matrix products: `auto` takes bf16 where the hardware has it, then fp16 on a GPU, else fp32."""


class Bound(StageSettings):
    """What a figure has to keep to."""

    minimum: float | None = None
    maximum: float | None = None
    minimum_change: float | None = None
    """Change against the base model: in percent of bits per character, else in the figure's unit."""
    maximum_change: float | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"give one of {', '.join(type(self).model_fields)}")
        return self


class EvaluationSettings(ScoringSettings):
    control: str | None = None
    """Address of a file with text in the base model's own language, scored to show what was forgotten."""
    lm_eval: list[str] = Field(default_factory=list)
    """Tasks or groups of tasks of lm-eval that every model but the untrained one is measured on, such as `ceval-valid`
    and `cmmlu`. lm-eval has to be installed: `pip install --no-deps -r envs/requirements-lm-eval.txt`."""
    lm_eval_tasks: str | None = None
    """Folder with lm-eval tasks of your own, as YAML files."""
    lm_eval_limit: int | None = Field(default=None, ge=1)
    """Maximum number of questions of each of these tasks; all when not given."""
    require: dict[str, Bound] = Field(default_factory=dict)
    """Bounds that end the run with an error, after everything is written, when a figure of the finished model misses
    them: `{text_bits_per_character: {maximum: 8}, control_bits_per_character: {maximum_change: 5}}`. Before a figure
    may stand another model: `pretrained:text_bits_per_character`."""

    @field_validator("require")
    @classmethod
    def _figures_are_known(cls, bounds: dict[str, Bound]) -> dict[str, Bound]:
        for name in bounds:
            model, figure = required_figure(name)
            if model not in ("", *MODELS):
                raise ValueError(f"{model} is no model; those that are scored are {', '.join(MODELS)}")
            if figure_of(figure) is None:
                raise ValueError(f"{figure} is no figure; the nearest is {nearest_name(figure, list(FIGURES))}")
        return bounds


def required_figure(name: str) -> tuple[str, str]:
    """Model and figure that a key of `require` names; "" stands for the finished model."""
    model, _, figure = name.rpartition(":")
    return model, figure
