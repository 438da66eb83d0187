"""Attention on a processor in 32 bits, where a model computes in bf16 and sequences are not long.

PyTorch's kernel is no slower in 32 bits than in bf16 up to a few hundred positions, and with several rows it is faster:
forward and backward of twice 170 positions (9 heads of width 64) take 6.5 ms of a core instead of 10.4. Plain matrix
products with weights in 16 bits take 4.3, but runs with them diverged (docs/experiments.md).
"""

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

MOST_POSITIONS = 256
"""From here on, the kernel is faster in bf16."""


def use_exact_attention() -> None:
    """Have transformers' `sdpa`, its default, compute as this module does."""
    AttentionInterface.register("sdpa", attention)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' `sdpa_attention_forward`, with a result in the number format that autocast asks for.

    `query` has shape (rows, heads, positions, width), `key` and `value` as many heads or a fraction of them; the result
    (rows, positions, heads, width).
    """
    if not _is_short(query, key):
        usual: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return usual
    if attention_mask is not None and attention_mask.is_floating_point():
        attention_mask = attention_mask.float()
    with torch.autocast("cpu", enabled=False):
        inputs = query.float(), key.float(), value.float()
        exact: torch.Tensor = sdpa_attention_forward(module, *inputs, attention_mask, **options)[0]
    return exact.to(torch.bfloat16), None


def _is_short(query: torch.Tensor, key: torch.Tensor) -> bool:
    """Whether this is several positions, but not many, on a processor in bf16 by autocast."""
    is_rounded = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    if query.device.type != "cpu" or not is_rounded or torch.compiler.is_compiling():
        return False
    return query.shape[2] > 1 and key.shape[2] <= MOST_POSITIONS
