"""Settings of the tokenizer stage."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from lib.settings.base import StageSettings

MOST_NEW_TOKENS = 500_000


def _check_number(value: Any) -> Any:
    if isinstance(value, str) and value.isdecimal():  # as numbers come from Snakemake's --config
        value = int(value)
    if value == "auto" or (type(value) is int and 0 <= value <= MOST_NEW_TOKENS):
        return value
    raise ValueError(f"give a whole number from 0 to {MOST_NEW_TOKENS:,}, or auto")


class VocabularySettings(StageSettings):
    """How new tokens are learned."""

    uri: str | None = None
    """Address of a tokenizer of your own (a directory with tokenizer.json), used as it is: its new tokens are those
    whose ids lie beyond the base model's. The keys for learning tokens, `new_tokens` to `leading_marks`, then have no
    effect."""
    new_tokens: Annotated[int | Literal["auto"], BeforeValidator(_check_number)] = 2_000
    """Number of tokens that are learned, or `auto`: as many as stage 1 sees `minimum_seen` times, and as are worth
    `minimum_gain`; none in a very short run. 0 learns none."""
    characters_per_token: float | None = Field(default=None, gt=0)
    """Stop learning tokens when the training text has this many characters per token. Not given: no such limit."""
    minimum_seen: float = Field(default=20, gt=0)
    """With `new_tokens: auto`: minimum number of times that stage 1, or the fit without it, sees a token in its
    `max_steps` or `epochs`. Lower it for shorter text from tokens that training knows less well."""
    minimum_gain: float = Field(default=0.02, gt=0, lt=1)
    """With `new_tokens: auto`: minimum share by which 1,000 more tokens must raise the characters per token. Lower it
    for more tokens."""
    minimum_frequency: int = Field(default=2, ge=1)
    """Minimum number of times that a pair of tokens must occur in the training text to be merged. Raise it for noisy
    text."""
    maximum_length: int = Field(default=16, ge=1)
    """Maximum length of a learned token, in characters."""
    words: str | None = None
    """UTF-8 file with terms, one on each line, that become tokens beside the learned ones. Give names and terms of your
    domain."""
    vocabulary_multiple: int = Field(default=1, ge=1)
    """Learn as many more tokens as make the vocabulary's size a multiple of this; 64 makes products faster."""
    chat_template: Literal["chatml", "article", "none"] = "chatml"
    """Template for a base that has none, added with its control tokens unless no token is added."""
    keep_latin: bool = True
    """Leave the segmentation of text in Latin script (English, code, its quotes and symbols) exactly as it was."""
    leading_marks: bool = True
    """Let a new token begin with one punctuation character (`，我们`): shorter text, slower learning. Switch it off for
    short runs and for llama.cpp."""

    @property
    def adds_tokens(self) -> bool:
        """Whether the tokenizer has more tokens than the base's, control tokens aside."""
        return bool(self.uri or self.words or self.new_tokens)


class InitializationSettings(StageSettings):
    """How the embedding rows of new tokens start."""

    initialization: Literal["fitted", "mean", "frequency_weighted_mean", "random"] = "fitted"
    """Start of a new row: fitted on training text, the mean of the rows that the token replaces, or random. Take `mean`
    where the fit takes too long."""
    untie: bool = False
    """Give the head a matrix of its own where it shares the embedding's. Better starts, but vocabulary size × width
    more parameters."""
    fit_steps: int = Field(default=60, ge=0)
    """Steps of the fit of input rows, of four pieces of text each. More steps give better starts."""
    fit_characters: int = Field(default=40_000, ge=256)
    """Characters of training text that rows are fitted on."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of matrix products while rows are fitted; `auto` as in training."""


class TokenizerSettings(VocabularySettings, InitializationSettings):
    pass
