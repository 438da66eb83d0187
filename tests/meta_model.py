"""Meta's Llama in plain PyTorch and its files, written from the published description: a reference for conversions."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional

Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Parameters:
    """What params.json holds."""

    dim: int = 64
    n_layers: int = 2
    n_heads: int = 8
    n_kv_heads: int = 4
    norm_eps: float = 1e-5
    vocab_size: int = 300
    rope_theta: float = 10_000.0
    use_scaled_rope: bool = False


def random_weights(parameters: Parameters, hidden: int = 96, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights under the names of one whole, uncut checkpoint."""
    random = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, generator=random) / math.sqrt(columns)

    dim = parameters.dim
    shared = dim // parameters.n_heads * parameters.n_kv_heads
    weights = {
        "tok_embeddings.weight": matrix(parameters.vocab_size, dim),
        "norm.weight": 1 + matrix(1, dim)[0],
        "output.weight": matrix(parameters.vocab_size, dim),
    }
    for layer in range(parameters.n_layers):
        weights |= {
            f"layers.{layer}.{name}": tensor
            for name, tensor in {
                "attention.wq.weight": matrix(dim, dim) * 4,  # far from uniform attention, or positions hardly matter
                "attention.wk.weight": matrix(shared, dim),
                "attention.wv.weight": matrix(shared, dim),
                "attention.wo.weight": matrix(dim, dim),
                "feed_forward.w1.weight": matrix(hidden, dim),
                "feed_forward.w2.weight": matrix(dim, hidden),
                "feed_forward.w3.weight": matrix(hidden, dim),
                "attention_norm.weight": 1 + matrix(1, dim)[0],
                "ffn_norm.weight": 1 + matrix(1, dim)[0],
            }.items()
        }
    return weights


def save_checkpoint(
    directory: Path, parameters: Parameters, weights: Weights, ranks: int = 1, vocabulary_parallel: bool = False
) -> None:
    """Write the files of a checkpoint, its matrices cut up over `ranks`.

    The embedding is cut along its width (Llama 1 and 2) or its vocabulary (Llama 3).
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "params.json").write_text(json.dumps(asdict(parameters)))
    along_columns = ("wo.weight", "w2.weight", *(() if vocabulary_parallel else ("tok_embeddings.weight",)))
    for rank in range(ranks):
        part = {
            name: tensor
            if tensor.ndim == 1
            else tensor.chunk(ranks, dim=1 if name.endswith(along_columns) else 0)[rank].clone()
            for name, tensor in weights.items()
        }
        part["rope.freqs"] = torch.zeros(4)
        torch.save(part, directory / f"consolidated.{rank:02d}.pth")


def logits(parameters: Parameters, weights: Weights, ids: Sequence[int], rope_factor: float = 8.0) -> torch.Tensor:
    """Scores of the next token after each of `ids`: (length, vocabulary)."""
    heads, shared = parameters.n_heads, parameters.n_kv_heads
    size = parameters.dim // heads
    state = weights["tok_embeddings.weight"][list(ids)]
    turns = _turns(parameters, len(ids), size, rope_factor)
    hidden_future = torch.full((len(ids), len(ids)), float("-inf")).triu(1)
    for layer in range(parameters.n_layers):
        own = {name.removeprefix(f"layers.{layer}."): tensor for name, tensor in weights.items()}
        normed = _norm(state, own["attention_norm.weight"], parameters.norm_eps)
        queries = _turned((normed @ own["attention.wq.weight"].T).view(len(ids), heads, size), turns)
        keys = _turned((normed @ own["attention.wk.weight"].T).view(len(ids), shared, size), turns)
        values = (normed @ own["attention.wv.weight"].T).view(len(ids), shared, size)
        attended = []
        for head in range(heads):
            group = head // (heads // shared)
            scores = queries[:, head] @ keys[:, group].T / math.sqrt(size) + hidden_future
            attended.append(scores.softmax(dim=-1) @ values[:, group])
        state = state + torch.cat(attended, dim=-1) @ own["attention.wo.weight"].T
        normed = _norm(state, own["ffn_norm.weight"], parameters.norm_eps)
        gate = functional.silu(normed @ own["feed_forward.w1.weight"].T)
        state = state + (gate * (normed @ own["feed_forward.w3.weight"].T)) @ own["feed_forward.w2.weight"].T
    return _norm(state, weights["norm.weight"], parameters.norm_eps) @ weights["output.weight"].T


def _norm(state: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    return state * torch.rsqrt(state.pow(2).mean(-1, keepdim=True) + eps) * weight


def _turns(parameters: Parameters, length: int, size: int, factor: float) -> torch.Tensor:
    """A complex number of modulus 1 for each position and each pair of a head's rows: (length, size / 2)."""
    speeds = []
    for pair in range(size // 2):
        speed = parameters.rope_theta ** (-2 * pair / size)
        if parameters.use_scaled_rope:
            # Llama 3.1: slow rotations are slowed by the factor, fast ones kept, and those between are blended.
            turns = 8192 * speed / (2 * math.pi)
            blend = min(max((turns - 1) / (4 - 1), 0), 1)
            speed = blend * speed + (1 - blend) * speed / factor
        speeds.append(speed)
    angles = torch.arange(length).double()[:, None] * torch.tensor(speeds, dtype=torch.float64)
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)


def _turned(rows: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Each pair of neighbouring rows, taken as a complex number, turned by its position: (length, heads, size)."""
    pairs = torch.view_as_complex(rows.reshape(*rows.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * turns[:, None]).flatten(-2)
