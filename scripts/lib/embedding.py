"""Rows for new tokens in a model's input and output embedding."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from transformers import PreTrainedModel


@torch.no_grad()
def add_rows(
    model: PreTrainedModel,
    constituents: Mapping[int, Sequence[int]],
    initialization: Literal["mean", "random"],
    generator: torch.Generator,
) -> None:
    """Grow `model` in place so that it has a row for every id in `constituents`.

    `constituents` maps a new token id to the base token ids that spell the same text. `mean` starts a row at the
    mean of theirs; `random` draws it from a normal distribution with the base rows' mean and standard deviation.
    A tied head stays tied; an untied one gets rows of its own, made the same way.
    """
    if not constituents:
        return
    input_rows = model.get_input_embeddings().weight.detach().clone()
    output_rows = model.get_output_embeddings().weight.detach().clone()
    size = max(len(input_rows), max(constituents) + 1)
    model.resize_token_embeddings(size, mean_resizing=False)
    _fill(model.get_input_embeddings().weight, input_rows, constituents, initialization, generator)
    if model.get_output_embeddings().weight is not model.get_input_embeddings().weight:
        _fill(model.get_output_embeddings().weight, output_rows, constituents, initialization, generator)


def _fill(
    weight: torch.Tensor,
    base_rows: torch.Tensor,
    constituents: Mapping[int, Sequence[int]],
    initialization: Literal["mean", "random"],
    generator: torch.Generator,
) -> None:
    mean, deviation = base_rows.float().mean(0), base_rows.float().std(0)
    for token_id, parts in constituents.items():
        if initialization == "mean":
            row = base_rows[list(parts)].float().mean(0)
        else:
            row = mean + deviation * torch.randn(mean.shape, generator=generator)
        weight[token_id] = row.to(weight.dtype)
