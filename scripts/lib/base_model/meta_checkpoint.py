"""Llama checkpoints as Meta publishes them, as Hugging Face weights.

A directory holds `params.json`, `tokenizer.model` and one `consolidated.NN.pth` for each model-parallel rank. These are
pickles; `torch.load` reads tensors out of them and refuses everything else. Files are mapped into memory and tensors
joined one at a time. What names and parameters mean is told by Meta's llama-models, and how matrices are cut up by the
parallel layers of fairscale.
"""

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig

from lib.core.errors import UserError, about

SHARDS = "consolidated.*.pth"
NAMES = {
    "tok_embeddings": "model.embed_tokens",
    "norm": "model.norm",
    "output": "lm_head",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
NEEDED = ("dim", "n_layers", "n_heads", "norm_eps")
# Beside these, a parameter would change what the model computes: experts, images, adapters, quantized weights.
KNOWN = {*NEEDED, "n_kv_heads", "vocab_size", "rope_theta", "use_scaled_rope", "rope_scaling_factor"}
KNOWN |= {"multiple_of", "ffn_dim_multiplier", "hidden_dim", "head_dim", "max_seq_len", "max_batch_size"}
KNOWN |= {"model_parallel_size"}

Shard = Mapping[str, torch.Tensor]


def is_meta_checkpoint(directory: Path) -> bool:
    """Whether a directory holds Meta's files and not Hugging Face's."""
    return (
        (directory / "params.json").is_file()
        and not (directory / "config.json").is_file()
        and any(directory.glob(SHARDS))
    )


def open_shards(directory: Path) -> list[Shard]:
    """Tensors of every model-parallel rank, mapped from their files; UserError for anything else that they hold."""
    paths = sorted(directory.glob(SHARDS))
    for rank, path in enumerate(paths):
        if path.name != f"consolidated.{rank:02d}.pth":
            raise UserError(f"{directory}: consolidated.{rank:02d}.pth is missing; get the whole checkpoint")
    shards = [_open_shard(path) for path in paths]
    for path, shard in zip(paths, shards, strict=True):
        if difference := sorted(shards[0].keys() ^ shard.keys()):
            raise UserError(f"{path}: differs from {paths[0].name} in {difference[0]}; get the checkpoint again")
    return shards


def llama31_rope(theta: float, factor: float) -> dict[str, Any]:
    """Llama 3.1's scaling of rotary positions, with slow ones `factor` times slower, in transformers' terms."""
    rope = {"rope_type": "llama3", "rope_theta": theta, "factor": factor}
    return rope | {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


def config_of(params: Mapping[str, Any], shards: Sequence[Shard], where: str) -> LlamaConfig:
    """The configuration that `params` (the content of params.json, which `where` names) and the weights describe."""
    _check_params(params, where)
    dim, heads = params["dim"], params["n_heads"]
    first = shards[0]
    if missing := [name for name in ("tok_embeddings.weight", "layers.0.feed_forward.w1.weight") if name not in first]:
        raise UserError(f"{where}: the checkpoint beside it lacks {missing[0]}; only Llama's text models can be read")
    rows, columns = first["tok_embeddings.weight"].shape
    vocabulary = rows if columns != dim else rows * len(shards)
    theta = float(params.get("rope_theta", 10_000))
    tied = _is_tied(shards)
    if params.get("use_scaled_rope"):
        # Meta's files do not say by how much. Llama 3.2's text models, which tie the head to the embedding, were made
        # for a factor of 32, the others for 8.
        factor = float(params.get("rope_scaling_factor") or (32 if tied else 8))
        rope = llama31_rope(theta, factor)
    else:
        rope = {"rope_type": "default", "rope_theta": theta}
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=dim,
        intermediate_size=first["layers.0.feed_forward.w1.weight"].shape[0] * len(shards),
        num_hidden_layers=params["n_layers"],
        num_attention_heads=heads,
        num_key_value_heads=params.get("n_kv_heads") or heads,
        rms_norm_eps=params["norm_eps"],
        max_position_embeddings=_context(params, first),
        rope_parameters=rope,
        tie_word_embeddings=tied,
    )


def converted(
    shards: Sequence[Shard], config: LlamaConfig, shapes: Mapping[str, torch.Size], where: str
) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and whole tensors in Hugging Face form; `shapes` are those that the model expects.

    Raises UserError, which `where` begins, for a tensor that Llama does not have, or whose parts do not make up the
    expected shape.
    """
    for name in shards[0]:
        if name.endswith("rope.freqs"):
            continue  # computed from the configuration
        target = translated(name)
        if target == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if target not in shapes:
            raise UserError(f"{where}: {name} does not belong to a Llama of {config.num_hidden_layers} layers")
        with about(where):
            tensor = join_parts(name, [shard[name] for shard in shards], shapes[target])
        if target.endswith("q_proj.weight"):
            tensor = halves_from_pairs(tensor, config.num_attention_heads)
        elif target.endswith("k_proj.weight"):
            tensor = halves_from_pairs(tensor, config.num_key_value_heads)
        yield target, tensor


def translated(name: str) -> str:
    """Hugging Face's name for one of Meta's tensors; the name itself when it is not one."""
    found = re.fullmatch(r"(layers\.\d+\.)?(.+)\.weight", name)
    if not found or found[2] not in NAMES:
        return name
    layer = f"model.{found[1]}" if found[1] else ""
    return f"{layer}{NAMES[found[2]]}.weight"


def join_parts(name: str, parts: Sequence[torch.Tensor], shape: torch.Size) -> torch.Tensor:
    """The tensor of `shape` that the ranks' parts make up: cut along one dimension, or the same on every rank."""
    part = parts[0].shape
    if part == shape:
        return parts[0]
    cut = [dimension for dimension, size in enumerate(shape) if part[dimension : dimension + 1] != (size,)]
    if len(part) != len(shape) or len(cut) != 1 or sum(tensor.shape[cut[0]] for tensor in parts) != shape[cut[0]]:
        raise UserError(
            f"{name} has shape {tuple(part)} in each of {len(parts)} files, which cannot make up "
            f"{tuple(shape)}; do params.json and the files belong together?"
        )
    return torch.cat(list(parts), dim=cut[0])


def halves_from_pairs(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of a query or key projection, (heads * head size, width), in the order that Hugging Face's rotation expects.

    Meta rotates neighbouring rows of a head together, Hugging Face the rows of its first half with those of its second.
    """
    rows, width = weight.shape
    pairs = weight.view(heads, rows // heads // 2, 2, width)
    return pairs.transpose(1, 2).reshape(rows, width)


def _open_shard(path: Path) -> Shard:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise UserError(
            f"{path}: refused: it holds {named[1] if named else 'objects'} beside tensors, and loading that could run "
            "code; get the checkpoint from its publisher"
        ) from None
    except Exception as error:  # a torn archive fails in many ways
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: the weights are cut off or damaged ({reason}); get the file again") from None
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UserError(f"{path}: holds something other than named tensors")
    return content


def _check_params(params: Mapping[str, Any], where: str) -> None:
    if missing := [key for key in NEEDED if key not in params]:
        raise UserError(f"{where}: no {missing[0]}; is this Meta's params.json?")
    if unknown := sorted(params.keys() - KNOWN):
        raise UserError(f"{where}: {unknown[0]} is not known of Llama's text models, the only ones that can be read")
    head = params["dim"] // params["n_heads"]
    if params.get("head_dim", head) != head:
        raise UserError(f"{where}: head_dim is {params['head_dim']}, not dim / n_heads = {head}")


def _context(params: Mapping[str, Any], shard: Shard) -> int:
    """Longest sequence that the model was trained on, which Meta's files tell only by their features."""
    if params.get("use_scaled_rope"):
        return 131_072  # Llama 3.1 and later
    if "max_seq_len" in params:
        return int(params["max_seq_len"])
    if params.get("rope_theta", 10_000) == 500_000:
        return 8192  # Llama 3
    if params.get("rope_theta", 10_000) == 1_000_000:
        return 16_384  # Code Llama
    return 2048 if any(name.endswith("inner_attention.rope.freqs") for name in shard) else 4096  # Llama 1, Llama 2


def _is_tied(shards: Sequence[Shard]) -> bool:
    """Whether the head is the embedding: left out, or the same numbers once more."""
    return all(
        "output.weight" not in shard or torch.equal(shard["output.weight"], shard["tok_embeddings.weight"])
        for shard in shards
    )
