"""Input rows fitted so that a new token means to the model what the tokens mean that it replaces.

After some layers, the hidden state at a new token should be the one that the base has at the last of the replaced
tokens. Nothing is learned from labels and no scores over the vocabulary are computed; only the first layers run.

Right after extension by 2,000 tokens, held-out text takes 8.90 bits per character with fitted rows (8.97 before it),
11.19 with means of the rows that the tokens replace, as is usual, and 19.08 with random ones (docs/experiments.md).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from lib.extended_model.aligned_text import Batch, ReplacedText, collate_texts
from lib.extended_model.rows import Constituents
from lib.models.compute import Precision, arithmetic

DEPTH = 0.27  # share of the layers: of 30, 8 served better than 4 (which see too little) and 12 (which fit slowly)
BATCH = 4  # texts in a step
LEARNING_RATE = 0.06  # of the root mean square of the base's rows
WARMUP = 5  # steps


def fit_input_rows(
    model: PreTrainedModel,
    rows: torch.Tensor,
    constituents: Constituents,
    texts: Sequence[ReplacedText],
    steps: int,
    precision: Precision,
    on_progress: Callable[[int, float], None] = lambda step, loss: None,
) -> torch.Tensor:
    """Rows (new tokens, width) like `rows`, fitted in `steps` steps on `texts`, which are taken in turn.

    The model itself stays as it is; it has to have a row for every id already. Adam, with a rate that rises over five
    steps and falls as a cosine. `on_progress` hears of each step's loss: the mean squared difference of hidden states,
    each brought to a root mean square of 1, as the layers that read them see them.
    """
    rows = rows.detach().clone().requires_grad_()
    embedding = model.get_input_embeddings()
    rate = LEARNING_RATE * float(embedding.weight.detach().float().square().mean().sqrt())
    optimizer = torch.optim.Adam([rows], lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2
    )
    index = torch.full((len(embedding.weight),), -1)
    index[list(constituents)] = torch.arange(len(rows))
    index = index.to(rows.device)
    for step in range(steps):
        chosen = [texts[number % len(texts)] for number in range(BATCH * step, BATCH * (step + 1))]
        loss = _loss(model, rows, index, collate_texts(chosen, rows.device), precision)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        on_progress(step + 1, float(loss.detach()))
    return rows.detach()


def _loss(
    model: PreTrainedModel, rows: torch.Tensor, index: torch.Tensor, batch: Batch, precision: Precision
) -> torch.Tensor:
    with torch.no_grad(), arithmetic(precision, rows.device):
        base = _early_states(model, batch.base_ids)
    with arithmetic(precision, rows.device), _rows_in_place(model.get_input_embeddings(), rows, index):
        states = _early_states(model, batch.ids)
    compared = batch.is_text & (index[batch.ids] >= 0)
    wanted = base.gather(1, batch.ends[..., None].expand(-1, -1, base.shape[-1]))
    difference = _normalized(states[compared]) - _normalized(wanted[compared])
    return difference.square().mean(-1).sum() / compared.sum().clamp(min=1)


def _normalized(states: torch.Tensor) -> torch.Tensor:
    states = states.float()
    return states * torch.rsqrt(states.square().mean(-1, keepdim=True) + 1e-5)


class _DeepEnoughError(Exception):
    """Ends a forward pass whose last layers are not needed."""


def _early_states(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Hidden states (texts, positions, width) after the share `DEPTH` of the layers."""
    layers = _layers(model)
    found: list[torch.Tensor] = []

    def stop(module: nn.Module, inputs: Any, output: Any) -> None:
        found.append(output if isinstance(output, torch.Tensor) else output[0])
        raise _DeepEnoughError

    handle = layers[max(round(DEPTH * len(layers)), 1) - 1].register_forward_hook(stop)
    try:
        model.base_model(input_ids=ids, use_cache=False)
    except _DeepEnoughError:
        pass
    finally:
        handle.remove()
    return found[0]


def _layers(model: PreTrainedModel) -> nn.ModuleList:
    count = model.config.get_text_config().num_hidden_layers
    return next(
        module for module in model.base_model.modules() if isinstance(module, nn.ModuleList) and len(module) == count
    )


@contextmanager
def _rows_in_place(embedding: nn.Module, rows: torch.Tensor, index: torch.Tensor) -> Iterator[None]:
    """Have `embedding` look up the ids that have a row in `rows`, `index` telling which, there."""

    def replace(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        positions = index[inputs[0]]
        new = nn.functional.embedding(positions.clamp(min=0), rows) * getattr(module, "embed_scale", 1)
        return torch.where((positions >= 0)[..., None], new.to(output.dtype), output)

    handle = embedding.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()
