"""Attention in bf16 on a processor, for sequences that are not long.

PyTorch's kernel for it is made for long sequences. Of a few hundred positions, plain matrix products are faster, with
scores in 32 bits, which are nearer to the exact result as well: forward and backward of twice 170 positions (9 heads of
width 64) take 5 ms of a core instead of 10. Scores in 16 bits are faster still, but training diverged with them
(docs/experiments.md).
"""

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

MOST_POSITIONS = 512
"""From here on, PyTorch's kernel is as fast."""


def use_short_attention() -> None:
    """Have transformers' `sdpa`, its default, compute as this module does where that is faster."""
    AttentionInterface.register("sdpa", attention)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' `sdpa_attention_forward`.

    `query` has shape (rows, heads, positions, width), `key` and `value` as many heads or a fraction of them; the result
    (rows, positions, heads, width).
    """
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if dropout or not _is_short(query, key, attention_mask, causal) or any(one is not None for one in _special(others)):
        arguments = (query, key, value, attention_mask, dropout, scaling, is_causal)
        usual: tuple[torch.Tensor, None] = sdpa_attention_forward(module, *arguments, **others)
        return usual
    query = query * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    query, key, value = query.float(), key.float(), value.to(torch.bfloat16)
    bias = _bias(attention_mask, query, key)
    # What is computed in 32 bits and what in 16 is said here.
    with torch.autocast("cpu", enabled=False):
        rows = [_one_row(*row) for row in zip(query, key, value, bias.expand(len(query), -1, -1), strict=True)]
    return torch.stack(rows).transpose(1, 2), None


def _special(others: dict[str, Any]) -> tuple[Any, Any]:
    return others.get("position_bias"), others.get("softcap")


def _is_short(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, causal: bool) -> bool:
    """Whether this is what the products are for: several positions, on a processor in bf16 by autocast."""
    positions, others = query.shape[2], key.shape[2]
    is_rounded = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    if query.device.type != "cpu" or not is_rounded:
        return False
    if torch.compiler.is_compiling() or not 1 < positions <= others <= MOST_POSITIONS:
        return False
    return positions == others and causal if mask is None else mask.shape[1] == 1


def _bias(mask: torch.Tensor | None, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """What is added to scores, shape (rows or 1, positions, positions of keys): the lowest number where not to look."""
    if mask is not None and mask.is_floating_point():
        return mask[:, 0].to(query.dtype)
    causal = torch.ones(1, query.shape[2], key.shape[2], dtype=torch.bool).tril()
    hidden = ~(causal if mask is None else mask[:, 0])
    # Not minus infinity: where all is hidden, as in padding, that would make no number.
    return torch.zeros(hidden.shape, dtype=query.dtype).masked_fill_(hidden, torch.finfo(query.dtype).min)


def _one_row(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Attention of one row, heads first. The heads that share keys go together: what they need fits into the cache."""
    sharing = len(query) // len(key)
    bias = bias.repeat(sharing, 1)
    of_heads = [
        torch.mm(torch.addmm(bias, of_key.flatten(0, 1), one_key.T).softmax(-1).to(one_value.dtype), one_value)
        for of_key, one_key, one_value in zip(torch.split(query, sharing), key, value, strict=True)
    ]
    return torch.stack(of_heads).view(query.shape)
