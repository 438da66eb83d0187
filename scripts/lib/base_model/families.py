"""The families of models that can be adapted: decoders of text whose linear layers carry adapters as they are.

Others are refused before they are fetched, wherever the kind of a model can be read without its weights.
"""

import json
import struct
from pathlib import Path

from lib.core.errors import UserError, about
from lib.sources.addresses import parse, preview

CONFIG = "config.json"
CONFIG_BYTES = 1 << 20
GGUF_BYTES = 1 << 12

MODEL_TYPES = {
    "llama": "Llama, SmolLM 1 and 2; Phi 4, InternLM and others in Llama's form",
    "mistral": "Mistral",
    "qwen2": "Qwen 2 and 2.5",
    "qwen3": "Qwen 3",
    "qwen3_moe": "Qwen 3 with experts, which stay as they are under an adapter",
    "qwen3_5_text": "Qwen 3.5, text",
    "smollm3": "SmolLM 3",
    "gemma3_text": "Gemma 3, text",
    "glm": "GLM 4",
    "glm4": "GLM 4 0414",
}
"""By what config.json calls them."""

GGUF_ARCHITECTURES = ("llama", "qwen2", "qwen3", "qwen3moe", "qwen35", "gemma3")
"""What llama.cpp calls those of them that transformers reads from GGUF files; Mistral's are `llama`, too."""


def check_before_fetching(uri: str) -> None:
    """Raise UserError if the model at `uri` is seen to be of another family without its weights.

    A directory's config.json is read, here or at the hub, and the first bytes of a remote GGUF file. A local file, and
    one in a wheel, is looked at when it is opened.
    """
    address = parse(uri)
    if isinstance(address, Path):
        check_local(address)
    elif config := preview(uri, CONFIG_BYTES, CONFIG):
        _check_config(config, f"{uri}: {CONFIG}")
    elif architecture := _architecture(preview(uri, GGUF_BYTES) or b""):
        with about(uri):
            check_architecture(architecture)


def check_local(path: Path) -> None:
    """Raise UserError if `path` is a directory whose config.json names another family."""
    if (path / CONFIG).is_file():
        _check_config((path / CONFIG).read_bytes(), str(path / CONFIG))


def _check_config(content: bytes, where: str) -> None:
    try:
        values = json.loads(content)
    except ValueError:  # of which check_directory tells more
        return
    with about(where):
        check_model_type(values.get("model_type") if isinstance(values, dict) else None)


def check_architecture(architecture: object) -> None:
    """Raise UserError unless `architecture`, as a GGUF file calls it, is one of GGUF_ARCHITECTURES."""
    if architecture not in GGUF_ARCHITECTURES:
        known = ", ".join(GGUF_ARCHITECTURES)
        raise UserError(f"GGUF files of the architecture {architecture!r} are not supported; known ones: {known}")


def _architecture(start: bytes) -> str | None:
    """The architecture that a GGUF file of these first bytes names; its converters write it before all else."""
    try:
        magic, _, _, _, length = struct.unpack_from("<4sIQQQ", start)
        key = start[32 : 32 + length]
        kind, size = struct.unpack_from("<IQ", start, 32 + length)
        value = start[44 + length : 44 + length + size]
    except struct.error:
        return None
    is_named = magic == b"GGUF" and key == b"general.architecture" and kind == 8  # a text
    return value.decode() if is_named else None


def check_model_type(model_type: object) -> None:
    """Raise UserError unless `model_type`, as config.json calls it, is one of MODEL_TYPES."""
    if model_type not in MODEL_TYPES:
        known = ", ".join(f"{key} ({families})" for key, families in MODEL_TYPES.items())
        raise UserError(f"models of type {model_type!r} are not supported; known types: {known}")
