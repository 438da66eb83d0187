"""Attention by matrix products is that of PyTorch, as nearly as 16 bits allow."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from lib.models.attention import MOST_POSITIONS, attention

WIDTH = 16
# Of weights and values in 16 bits, relative to values of about 1.
TOLERANCE = 0.02


def inputs(rows: int, heads: int, sharing: int, positions: int, seed: int = 0) -> list[torch.Tensor]:
    """Query, key and value in fp32, each of which `sharing` heads of the query share."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(rows, heads * sharing, positions, WIDTH), *2 * [(rows, heads, positions, WIDTH)]]
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]


def module(sharing: int) -> Any:
    """What is asked about the layer."""
    return SimpleNamespace(num_key_value_groups=sharing, is_causal=True, training=False)


def in_bf16(function: Any, *arguments: Any, **options: Any) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result: torch.Tensor = function(*arguments, **options)[0]
    return result


@given(
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(2, 40),
    st.sampled_from(["none", "bool", "added"]),
    st.sampled_from([None, 0.3]),
    st.integers(0, 100),
)
def test_products_are_attention(
    rows: int, heads: int, sharing: int, positions: int, kind: str, scaling: float | None, seed: int
) -> None:
    query, key, value = inputs(rows, heads, sharing, positions, seed)
    mask = None
    if kind != "none":
        # Two texts in a row: each position looks at those before it in its own.
        border = positions // 2
        mask = torch.ones(rows, 1, positions, positions, dtype=torch.bool).tril()
        mask[:, :, border:, :border] = False
        if kind == "added":
            mask = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    arguments = module(sharing), query, key, value, mask
    wanted = sdpa_attention_forward(*arguments, scaling=scaling)[0]
    found = in_bf16(attention, *arguments, scaling=scaling)
    assert found.shape == wanted.shape
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), wanted, atol=TOLERANCE, rtol=TOLERANCE)
    direction = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(seed))
    of_wanted, of_found = (
        torch.autograd.grad((result.float() * direction).sum(), [query, key, value]) for result in (wanted, found)
    )
    for one, other in zip(of_found, of_wanted, strict=True):
        assert torch.allclose(one, other, atol=4 * TOLERANCE, rtol=4 * TOLERANCE)


def test_a_position_that_looks_at_nothing_stays_a_number() -> None:
    query, key, value = inputs(1, 1, 1, 4)
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()
    mask[:, :, 3] = False
    result = in_bf16(attention, module(1), query, key, value, mask)
    assert result.isfinite().all()


def test_large_scores_are_not_rounded() -> None:
    query, key, value = inputs(1, 2, 1, 40)
    arguments = module(1), query * 20, key, value, None
    wanted = sdpa_attention_forward(*arguments)[0]
    found, usual = (in_bf16(one, *arguments).float() for one in (attention, sdpa_attention_forward))
    assert (found - wanted).abs().mean() < 0.5 * (usual - wanted).abs().mean()


@pytest.mark.parametrize(
    "what", ["fp32", "weights in bf16", "one position", "many positions", "dropout", "a mask for each head"]
)
def test_everything_else_is_left_to_transformers(what: str) -> None:
    positions = MOST_POSITIONS + 1 if what == "many positions" else 6
    query, key, value = (one.detach() for one in inputs(1, 2, 1, positions))
    mask, dropout = None, 0.0
    if what == "weights in bf16":
        query, key, value = query.bfloat16(), key.bfloat16(), value.bfloat16()
    if what == "one position":
        query = query[:, :, -1:]
    if what == "dropout":
        dropout = 0.5
    if what == "a mask for each head":
        mask = torch.ones(1, 2, positions, positions, dtype=torch.bool).tril()

    def of(function: Any) -> torch.Tensor:
        torch.manual_seed(0)
        arguments = module(1), query, key, value, mask, dropout
        return function(*arguments)[0] if what in ("fp32", "weights in bf16") else in_bf16(function, *arguments)

    assert torch.equal(of(attention), of(sdpa_attention_forward))
