"""A published model's weights as the tensors of a GGUF file, one at a time, and what the file says of the model."""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFWriter, get_tensor_name_map
from safetensors import safe_open
from transformers import PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from lib.core.errors import UserError

ARCHITECTURES = {
    "llama": MODEL_ARCH.LLAMA,
    "mistral": MODEL_ARCH.LLAMA,
    "qwen2": MODEL_ARCH.QWEN2,
    "qwen3": MODEL_ARCH.QWEN3,
    "qwen3_moe": MODEL_ARCH.QWEN3MOE,
}
"""By what config.json calls a family."""
INTERLEAVED = (MODEL_ARCH.LLAMA,)
"""Those in which llama.cpp rotates neighbouring values of a head, not those of its two halves."""
ROPE_TABLE = "rope_freqs.weight"
TURNED = re.compile(r"\.self_attn\.([qk])_proj\.(weight|bias)$")
EXPERT = re.compile(r"\.mlp\.experts\.(\d+)\.")

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Weight:
    """A tensor of a GGUF file, and the tensors that it is made of: one, or one for each expert."""

    name: str
    shape: tuple[int, ...]
    sources: Sequence[tuple[Path, str]]
    """Files and names in them."""
    heads: int = 0
    """Number of heads whose values change places; 0 leaves them as they are."""

    def load(self) -> Array:
        """The values."""
        parts = []
        for path, name in self.sources:
            with safe_open(path, framework="pt") as file:
                parts.append(file.get_tensor(name).to(torch.float32).numpy())
        values: Array = np.stack(parts) if len(self.shape) == 3 else parts[0]
        return _neighbours(values, self.heads) if self.heads else values


def architecture_of(config: PreTrainedConfig) -> MODEL_ARCH:
    """llama.cpp's name for the kind of model; UserError for one that is not written here."""
    if config.model_type not in ARCHITECTURES:
        raise UserError(
            f"GGUF is not written for models of type {config.model_type!r} ({', '.join(ARCHITECTURES)} only); "
            "convert results with llama.cpp's convert_hf_to_gguf.py, or serve the safetensors"
        )
    return ARCHITECTURES[config.model_type]


def weights_of(directory: Path, config: PreTrainedConfig) -> list[Weight]:
    """The tensors to write for the model in `directory`, in the order of its files."""
    architecture = architecture_of(config)
    names = get_tensor_name_map(architecture, config.num_hidden_layers)
    sources: dict[str, list[tuple[Path, str]]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (a file, not a mapping)
                together = EXPERT.sub(".mlp.experts.", name)
                sources.setdefault(together, []).append((path, name))
                shapes[together] = tuple(file.get_slice(name).get_shape())
    found = []
    for name, parts in sources.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known is None:
            raise UserError(f"{directory}: llama.cpp has no tensor for {name}; serve the safetensors")
        turned = TURNED.search(name) if architecture in INTERLEAVED else None
        heads = {"q": config.num_attention_heads, "k": config.num_key_value_heads}[turned[1]] if turned else 0
        by_expert = sorted(parts, key=lambda part: _expert(part[1]))
        shape = (len(parts), *shapes[name]) if EXPERT.search(parts[0][1]) else shapes[name]
        found.append(Weight(known, shape, by_expert, heads))
    return found


def write_model_fields(writer: GGUFWriter, config: PreTrainedConfig, tokens: int) -> None:
    """Add what the file says of the model but its tokenizer. `tokens` are the rows of its embedding."""
    window = getattr(config, "sliding_window", None) or config.max_position_embeddings
    writer.add_context_length(min(window, config.max_position_embeddings))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(_head_width(config))
    writer.add_value_length(_head_width(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(_head_width(config))
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(tokens)
    if config.model_type == "qwen3_moe":
        writer.add_expert_count(config.num_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)


def rope_table(config: PreTrainedConfig) -> Array | None:
    """What the frequencies of rotary positions are divided by, where they are scaled as in Llama 3.1.

    Shape: half the width of a head. None where they are not scaled; UserError for any other scaling.
    """
    kind = config.rope_parameters.get("rope_type", "default")
    if kind == "default":
        return None
    if kind != "llama3":
        raise UserError(f"GGUF is not written for rotary positions scaled by {kind!r}; serve the safetensors")
    frequencies, _ = ROPE_INIT_FUNCTIONS[kind](copy.deepcopy(config), device=torch.device("cpu"))
    width = _head_width(config)
    plain = config.rope_parameters["rope_theta"] ** -(np.arange(0, width, 2) / width)
    table: Array = (plain / frequencies.double().numpy()).astype(np.float32)
    return table


def architecture_name(config: PreTrainedConfig) -> str:
    """What the file calls the kind of model."""
    return str(MODEL_ARCH_NAMES[architecture_of(config)])


def check_layout(config: PreTrainedConfig) -> None:
    """Raise UserError for a variant of a known family that llama.cpp computes otherwise."""
    fixed: Mapping[str, object] = {"hidden_act": "silu", "mlp_bias": False, "use_sliding_window": False}
    for key, value in fixed.items():
        if (found := getattr(config, key, value)) != value:
            raise UserError(f"GGUF is not written for models with {key}: {found}; serve the safetensors")
    if config.model_type == "qwen3_moe" and (config.mlp_only_layers or config.decoder_sparse_step != 1):
        raise UserError("GGUF is not written for models with experts in some layers only; serve the safetensors")


def _neighbours(values: Array, heads: int) -> Array:
    """The first half of each head's values and the second, in turns. `values` is (heads x width, …)."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))


def _head_width(config: PreTrainedConfig) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _expert(name: str) -> int:
    found = EXPERT.search(name)
    return int(found[1]) if found else 0
