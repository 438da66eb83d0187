"""Attention of a model that computes in bf16 is exact, but for the rounding of what goes in and comes out."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from lib.models.attention import MOST_POSITIONS, attention

WIDTH = 16
ROUNDING = 2**-8  # of a number to 16 bits, at most, as a share of it


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
def test_only_the_result_is_rounded(
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
            mask = torch.zeros(mask.shape, dtype=torch.bfloat16).masked_fill(~mask, torch.finfo(torch.bfloat16).min)
    exact_mask = mask.float() if kind == "added" and mask is not None else mask
    wanted = sdpa_attention_forward(module(sharing), query, key, value, exact_mask, scaling=scaling)[0]
    found = in_bf16(attention, module(sharing), query, key, value, mask, scaling=scaling)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, wanted.bfloat16())
    direction = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(seed)).bfloat16()
    of_wanted, of_found = (
        torch.autograd.grad((result * direction).sum(), [query, key, value]) for result in (wanted, found)
    )
    for one, other in zip(of_found, of_wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-5, rtol=1e-5)


def test_large_scores_are_not_rounded() -> None:
    query, key, value = inputs(1, 2, 1, 40)
    arguments = module(1), query * 20, key, value, None
    wanted = sdpa_attention_forward(*arguments)[0]
    found, usual = (in_bf16(one, *arguments).float() for one in (attention, sdpa_attention_forward))
    assert ((found - wanted).abs() <= ROUNDING * wanted.abs()).all()
    assert not ((usual - wanted).abs() <= ROUNDING * wanted.abs()).all()


@pytest.mark.parametrize("what", ["fp32", "weights in bf16", "one position", "many positions"])
def test_everything_else_is_left_to_transformers(what: str) -> None:
    positions = MOST_POSITIONS + 1 if what == "many positions" else 6
    query, key, value = (one.detach() for one in inputs(1, 2, 1, positions))
    if what == "weights in bf16":
        query, key, value = query.bfloat16(), key.bfloat16(), value.bfloat16()
    if what == "one position":
        query = query[:, :, -1:]

    def of(function: Any) -> torch.Tensor:
        arguments = module(1), query, key, value, None
        return function(*arguments)[0] if what in ("fp32", "weights in bf16") else in_bf16(function, *arguments)

    assert torch.equal(of(attention), of(sdpa_attention_forward))
