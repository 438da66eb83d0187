"""GGUF files (llama.cpp's format) as Hugging Face models and tokenizers.

transformers unpacks the weights, once the whole file has been checked; the tokenizer is read from the file's fields.
"""

import copy
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gguf
import numpy as np
import numpy.typing as npt
import torch
from gguf import GGUFReader
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    GgufConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from lib.base_model.families import check_architecture
from lib.base_model.gguf_tokenizer import SAMPLES, read_tokenizer, says_how_text_is_cut
from lib.base_model.meta_checkpoint import llama31_rope
from lib.core.errors import UserError, about

MAGIC = b"GGUF"
ROPE_TABLE = "rope_freqs.weight"


@dataclass(frozen=True)
class GgufFile:
    """What stands before a GGUF file's weights, and where they are."""

    reader: GGUFReader
    fields: dict[str, Any]
    """The file's metadata."""
    rope_table: npt.NDArray[np.float64] | None
    """Its table of rotary frequencies, if it has one."""


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

    Positions are scaled as the configuration says once the model has been saved and loaded. Raises UserError when the
    file is not GGUF, is cut off, or holds a kind of model that cannot be loaded.
    """
    file = read_file(path)
    fields = file.fields
    with about(str(path)):
        check_architecture(fields.get("general.architecture"))
    where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name, "trust_remote_code": False}
    try:
        # transformers' GGUF reader has no other way to be rid of its progress bar.
        with redirect_stderr(io.StringIO()), _read_once(file.reader):
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
    if file.rope_table is not None:
        model.config.rope_parameters = rope_of_table(file.rope_table, model.config, str(path))

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


def read_file(path: Path) -> GgufFile:
    """The GGUF file at `path`; UserError unless every tensor lies within it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise UserError(f"{path}: not a GGUF file (it starts with {magic!r}, not {MAGIC!r})")
    try:
        reader = GGUFReader(path)
        end = max((int(tensor.data_offset) + int(tensor.n_bytes) for tensor in reader.tensors), default=0)
        names = {tensor.name for tensor in reader.tensors}
        tables = [tensor.data for tensor in reader.tensors if tensor.name == ROPE_TABLE]
        fields = {key: field.contents() for key, field in reader.fields.items()}
    except Exception as error:  # on a torn file the reader fails wherever it happens to be
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: the GGUF file is cut off or damaged ({size:,} bytes: {reason})") from None
    if end > size:
        raise UserError(f"{path}: the GGUF file is cut off: {size:,} bytes of at least {end:,}")
    if not names:
        raise UserError(f"{path}: the GGUF file holds no weights")
    return GgufFile(reader, fields, np.array(tables[0], np.float64) if tables else None)


@contextmanager
def _read_once(reader: GGUFReader) -> Iterator[None]:
    """Give transformers a file that is read already, and the names of a model's tensors once.

    It would read the fields twice more, seconds each time for a vocabulary of 50,000, and make the list of names again
    for every layer: nine of the sixteen seconds that the demo's base model takes of a processor.
    """
    with (
        patch.object(gguf, "GGUFReader", lambda path: reader),
        patch.object(gguf, "get_tensor_name_map", cache(gguf.get_tensor_name_map)),
    ):
        yield


def rope_of_table(table: npt.NDArray[np.float64], config: PreTrainedConfig, where: str) -> dict[str, Any]:
    """The `rope_parameters` that make transformers divide the frequencies of rotary positions by those of `table`.

    The scaling is Llama 3.1's, whose factor is the table's largest value. Raises UserError, which `where` begins, when
    another table comes out of it: without it the model would work, only worse.
    """
    parameters = llama31_rope(config.rope_parameters["rope_theta"], float(table.max()))
    scaled = copy.deepcopy(config)
    scaled.rope_parameters = parameters
    frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](scaled, device=torch.device("cpu"))
    plain = parameters["rope_theta"] ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    if len(table) != len(plain) or not np.allclose(plain / frequencies.double().numpy(), table, rtol=1e-4):
        raise UserError(
            f"{where}: this GGUF scales its rotary positions with a table that is not Llama 3.1's, and transformers "
            "reads none; use the model's safetensors directory instead"
        )
    return parameters
