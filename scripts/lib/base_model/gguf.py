"""GGUF files (llama.cpp's format) as Hugging Face models and tokenizers.

transformers unpacks the weights, once the whole file has been checked; the tokenizer is read from the file's fields.
"""

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from lib.base_model.families import check_architecture
from lib.base_model.gguf_tokenizer import SAMPLES, read_tokenizer, says_how_text_is_cut
from lib.core.errors import UserError, about

MAGIC = b"GGUF"


@dataclass(frozen=True)
class GgufModel:
    """What a GGUF file holds, in transformers' terms."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    license: str | None
    warnings: list[str]


def is_gguf(path: Path) -> bool:
    """Whether a file is one in GGUF, by its ending or its first bytes."""
    if path.suffix.lower() == ".gguf":
        return True
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def load_gguf(path: Path, dtype: torch.dtype) -> GgufModel:
    """The model in a GGUF file, unpacked to `dtype`, and its tokenizer.

    Raises UserError when the file is not GGUF, is cut off, or holds a kind of model that cannot be loaded.
    """
    fields = read_fields(path)
    with about(str(path)):
        check_architecture(fields.get("general.architecture"))
    where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name, "trust_remote_code": False}
    try:
        with redirect_stderr(io.StringIO()):  # transformers' GGUF reader has no other way to be rid of its progress bar
            model, loading = AutoModelForCausalLM.from_pretrained(
                **where, dtype=dtype, quantization_config=GgufConfig(dequantize=True), output_loading_info=True
            )
    except Exception as error:  # whatever transformers makes of a model that it does not know
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: transformers cannot load this GGUF model: {reason}") from None
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise UserError(f"{path}: the weights lack {len(missing)} tensors of the model, {missing[0]} among them")
    # A file with packed weights is marked as quantized, and save_pretrained refuses to write such a model.
    model.hf_quantizer = None
    model.config.__dict__.pop("quantization_config", None)
    model.generation_config = GenerationConfig()

    of_tokenizer = {
        key.removeprefix("tokenizer."): value for key, value in fields.items() if key.startswith("tokenizer.")
    }
    tokenizer = read_tokenizer(of_tokenizer, model.config.max_position_embeddings, str(path))
    for key in ("bos_token_id", "eos_token_id"):
        setattr(model.config, key, getattr(tokenizer, key))
    warnings: list[str] = []
    if not says_how_text_is_cut(of_tokenizer):
        warnings.append(f"{path.name} does not say how text is cut into words; it is cut as llama.cpp does then")
    if any(tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) != text for text in SAMPLES):
        warnings.append(f"the tokenizer of {path.name} does not give every text back as it was")
    license_name = fields.get("general.license")
    return GgufModel(model, tokenizer, str(license_name) if license_name else None, warnings)


def read_fields(path: Path) -> dict[str, Any]:
    """A GGUF file's metadata; UserError unless every tensor lies within the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise UserError(f"{path}: not a GGUF file (it starts with {magic!r}, not {MAGIC!r})")
    try:
        reader = GGUFReader(path)
        end = max((int(tensor.data_offset) + int(tensor.n_bytes) for tensor in reader.tensors), default=0)
        names = {tensor.name for tensor in reader.tensors}
        fields = {key: field.contents() for key, field in reader.fields.items()}
    except Exception as error:  # on a torn file the reader fails wherever it happens to be
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: the GGUF file is cut off or damaged ({size:,} bytes: {reason})") from None
    if end > size:
        raise UserError(f"{path}: the GGUF file is cut off: {size:,} bytes of at least {end:,}")
    if not names:
        raise UserError(f"{path}: the GGUF file holds no weights")
    if "rope_freqs.weight" in names:
        # Dropping these would leave a model that works, only worse: its positions are scaled by them.
        raise UserError(
            f"{path}: this GGUF scales its rotary positions with a table (Llama 3.1 and later), which transformers "
            "does not read; use the model's safetensors directory instead"
        )
    return fields
