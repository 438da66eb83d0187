"""Training a few rows of a large embedding and head at the cost of those rows.

PEFT's `trainable_token_indices` copies the trained rows into the whole matrix in every forward pass and has autograd
differentiate the whole matrix. Here the frozen matrix takes no part in the gradient: rows that are trained are looked
up, and their logits computed, apart from the others. Parameters, names and saving stay PEFT's, so what is saved loads
into plain PEFT.

With 2,000 new rows and an untied head, 512 tokens forward and backward took 1.92 CPU seconds, 2.25 s with PEFT's rows
and 1.86 s without any; gradients agree within 1e-5 (docs/experiments.md).
"""

from collections.abc import Iterator
from typing import Any

import torch
from peft.tuners.trainable_tokens import TrainableTokensLayer
from torch import nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.functional import embedding


def speed_up_new_rows(model: nn.Module) -> None:
    """Give every `TrainableTokensLayer` of `model` the forward pass of `NewRowsLayer`, in place."""
    for module in model.modules():
        if type(module) is TrainableTokensLayer and _is_known(module):
            module.__class__ = NewRowsLayer


def _is_known(layer: Any) -> bool:
    """Whether the layer wraps a matrix that is not quantised, and its ids are one range, as those of new tokens are."""
    return (
        isinstance(layer.base_layer, nn.Embedding | nn.Linear)
        and layer.base_layer.weight.is_floating_point()
        and all(ids == list(range(ids[0], ids[-1] + 1)) for ids in layer.token_indices.values())
    )


class NewRowsLayer(TrainableTokensLayer):
    """PEFT's layer with the same results and gradients, computed without a gradient of the whole matrix.

    What it does not know (several active adapters, merged ones, none) it leaves to PEFT.
    """

    def forward_adapters(self, x: torch.Tensor, active_adapters: list[str], *args: Any, **kwargs: Any) -> torch.Tensor:
        """As PEFT's: token ids to embeddings, or hidden states (..., width) to logits (..., vocabulary)."""
        if self.disable_adapters or self.merged or len(active_adapters) != 1:
            unchanged: torch.Tensor = super().forward_adapters(x, active_adapters, *args, **kwargs)
            return unchanged
        (adapter,) = active_adapters
        first = self.token_indices[adapter][0]
        rows = self.trainable_tokens_delta[adapter].to(self.base_layer.weight.dtype)
        return self._embed(x, rows, first) if isinstance(self.base_layer, nn.Embedding) else self._score(x, rows, first)

    def _embed(self, ids: torch.Tensor, rows: torch.Tensor, first: int) -> torch.Tensor:
        numbers = ids - first
        new = embedding(numbers.clamp(0, len(rows) - 1), rows)
        if (scale := self._get_embed_scale()) is not None:
            new = new * scale.to(new.dtype)
        is_new = (numbers >= 0) & (numbers < len(rows))
        return torch.where(is_new[..., None], new, self.base_layer(ids))

    def _score(self, hidden: torch.Tensor, rows: torch.Tensor, first: int) -> torch.Tensor:
        device = hidden.device.type
        kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.base_layer.weight.dtype
        flat = hidden.reshape(-1, hidden.shape[-1]).to(kind)
        with torch.autocast(device, enabled=False):
            logits: torch.Tensor = _Logits.apply(  # type: ignore[no-untyped-call]
                flat, self.base_layer.weight.detach().to(kind), rows.to(kind), first
            )
        if self.base_layer.bias is not None:
            logits = logits + self.base_layer.bias.detach()
        return logits.view(*hidden.shape[:-1], -1)


class _Logits(torch.autograd.Function):
    """Logits of all tokens from hidden states, frozen rows and trained ones, with gradients of the first and last.

    Each part is written to its place: joining the parts afterwards would copy them, which costs more.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, hidden: torch.Tensor, weight: torch.Tensor, rows: torch.Tensor, first: int
    ) -> torch.Tensor:
        """`hidden` (positions, width), `weight` (vocabulary, width), `rows` (trained, width) from row `first` on."""
        ctx.save_for_backward(hidden, weight, rows)
        ctx.first = first  # type: ignore[attr-defined]
        logits = hidden.new_empty(len(hidden), len(weight))
        for part, place in _parts(weight, rows, first):
            torch.mm(hidden, part.T, out=logits[:, place])
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, weight, rows = ctx.saved_tensors
        for_hidden = torch.zeros_like(hidden)
        for part, place in _parts(weight, rows, ctx.first):
            for_hidden.addmm_(gradient[:, place], part)
        return for_hidden, None, gradient[:, ctx.first : ctx.first + len(rows)].T @ hidden, None


def _parts(weight: torch.Tensor, rows: torch.Tensor, first: int) -> Iterator[tuple[torch.Tensor, slice]]:
    """The rows before the trained ones, these, and those behind, each with its place in the vocabulary."""
    behind = first + len(rows)
    yield weight[:first], slice(0, first)
    yield rows, slice(first, behind)
    if behind < len(weight):
        yield weight[behind:], slice(behind, len(weight))
