"""Settings of the export stage."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lib.settings.base import StageSettings

Format = Literal[
    "gguf-f16",
    "gguf-q8_0",
    "gguf-q4_0",
    "gguf-q4_k_m",
    "safetensors-bf16",
    "safetensors-fp32",
    "adapter-pretrain",
    "adapter-sft",
]
UNITS = {"MB": 10**6, "GB": 10**9}


def _check_size(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,5}(MB|GB)", text):
        raise ValueError("give a size in MB or GB, such as 5GB")
    return text


class ComparisonSettings(StageSettings):
    """How a GGUF file is compared with the original."""

    compared_lines: int = Field(default=1_000, ge=1)
    """Maximum number of lines of the corpus that llama.cpp must read token by token as transformers does."""
    compared_answers: int = Field(default=3, ge=0)
    """Number of held-out questions that llama.cpp must answer as transformers does, for `gguf-f16`. transformers takes
    4 bytes of memory per parameter for it; 0 leaves it out."""


class ExportSettings(ComparisonSettings):
    formats: list[Format] = Field(default=["gguf-q8_0"], min_length=1)
    """What `make export` writes: GGUF for llama.cpp and Ollama, safetensors in another number format or in shards, or
    a stage's adapter alone."""
    max_shard_size: Annotated[str, AfterValidator(_check_size)] = "5GB"
    """Maximum size of a safetensors file; a larger model is written in several with an index. Lower it for places that
    limit the size of files."""

    @property
    def shard_bytes(self) -> int:
        """`max_shard_size` in bytes."""
        return int(self.max_shard_size[:-2]) * UNITS[self.max_shard_size[-2:]]
