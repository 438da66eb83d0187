"""Training a few rows of a large embedding and head at the cost of those rows.

PEFT's `trainable_token_indices` copies the trained rows into the whole matrix in every forward pass and has autograd
differentiate the whole matrix. Here the frozen matrix takes no part in the gradient: rows that are trained are looked
up, and their logits computed, apart from the others. Parameters, names and saving stay PEFT's, so what is saved loads
into plain PEFT.
"""

from typing import Any

import torch
from peft.tuners.trainable_tokens import TrainableTokensLayer
from torch import nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.functional import embedding, linear


def speed_up_new_rows(model: nn.Module) -> None:
    """Give every `TrainableTokensLayer` of `model` the forward pass of `NewRowsLayer`, in place."""
    for module in model.modules():
        if type(module) is TrainableTokensLayer and _is_known(module):
            module.__class__ = NewRowsLayer


def _is_known(layer: Any) -> bool:
    """Whether the layer wraps a matrix that is not quantised, and its ids ascend, as `NewRowsLayer` wants it."""
    return (
        isinstance(layer.base_layer, nn.Embedding | nn.Linear)
        and layer.base_layer.weight.is_floating_point()
        and all(ids == sorted(ids) for ids in layer.token_indices.values())
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
        rows = self.trainable_tokens_delta[adapter].to(self.base_layer.weight.dtype)
        if isinstance(self.base_layer, nn.Embedding):
            return self._embed(x, rows, self._token_ids(adapter))
        return self._score(x, rows, adapter)

    def _embed(self, ids: torch.Tensor, rows: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
        # `token_ids` ascend, so a search finds each id's row; where it finds another's, the id is none of them.
        positions = torch.searchsorted(token_ids, ids.contiguous()).clamp(max=len(token_ids) - 1)
        new = embedding(positions, rows)
        if (scale := self._get_embed_scale()) is not None:
            new = new * scale.to(new.dtype)
        is_new = token_ids[positions] == ids
        return torch.where(is_new[..., None], new, self.base_layer(ids))

    def _score(self, hidden: torch.Tensor, rows: torch.Tensor, adapter: str) -> torch.Tensor:
        device = hidden.device.type
        kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.base_layer.weight.dtype
        flat = hidden.reshape(-1, hidden.shape[-1]).to(kind)
        with torch.autocast(device, enabled=False):
            logits: torch.Tensor = _Logits.apply(  # type: ignore[no-untyped-call]
                flat, self.base_layer.weight.detach().to(kind), rows.to(kind), self._place(adapter)
            )
        if self.base_layer.bias is not None:
            logits = logits + self.base_layer.bias.detach()
        return logits.view(*hidden.shape[:-1], -1)

    def _token_ids(self, adapter: str) -> torch.Tensor:
        """The ids of the trained rows, ascending, on the device of the weights."""
        known: dict[tuple[str, torch.device], torch.Tensor] = self.__dict__.setdefault("_known_token_ids", {})
        key = adapter, self.base_layer.weight.device
        if key not in known:  # thousands of Python numbers, too many to turn into a tensor at every step
            with torch.inference_mode(False):  # what scoring makes first must serve training, too
                known[key] = torch.tensor(self.token_indices[adapter], device=key[1])
        return known[key]

    def _place(self, adapter: str) -> slice | torch.Tensor:
        """Where the trained rows are in the matrix: between two of its rows, as new tokens usually are, or anywhere."""
        first, last = self.token_indices[adapter][0], self.token_indices[adapter][-1]
        is_range = last - first + 1 == len(self.token_indices[adapter])
        return slice(first, last + 1) if is_range else self._token_ids(adapter)


class _Logits(torch.autograd.Function):
    """Logits of all tokens from hidden states, frozen rows and trained ones, with gradients of the first and last.

    The matrix is multiplied whole and the trained columns overwritten: cutting it in two and joining the logits again
    would copy them, which costs more.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, hidden: torch.Tensor, weight: torch.Tensor, rows: torch.Tensor, place: slice | torch.Tensor
    ) -> torch.Tensor:
        """`hidden` (positions, width), `weight` (vocabulary, width) and `rows` (trained, width), whose place it is."""
        ctx.save_for_backward(hidden, weight, rows)
        ctx.place = place  # type: ignore[attr-defined]
        logits = linear(hidden, weight)
        logits[:, place] = linear(hidden, rows)
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, weight, rows = ctx.saved_tensors
        of_rows = gradient[:, ctx.place]
        for_hidden = (gradient @ weight).addmm_(of_rows, rows - weight[ctx.place])
        return for_hidden, None, of_rows.T @ hidden, None
