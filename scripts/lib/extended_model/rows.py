"""Rows for new tokens in a model's input and output embedding, and where they start."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from transformers import PreTrainedModel

Start = Literal["mean", "frequency_weighted_mean", "random"]
Constituents = Mapping[int, Sequence[int]]


def add_rows(
    model: PreTrainedModel,
    constituents: Constituents,
    start: Start,
    generator: torch.Generator,
    frequencies: Mapping[int, int] | None = None,
) -> None:
    """Grow `model` in place so that it has a row for every id in `constituents`.

    `constituents` maps a new token id to the base token ids that spell the same text. `mean` starts a row at the
    mean of theirs; `frequency_weighted_mean` lets rare ones count more, by one over the root of their `frequencies`
    in text; `random` draws it from a normal distribution with the base rows' mean and standard deviation.
    A tied head stays tied; an untied one gets rows of its own, made the same way.
    """
    if not constituents:
        return
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    matrices = [embedding.weight] if is_tied(model) else [embedding.weight, head.weight]
    rows = [start_rows(matrix.detach(), constituents, start, generator, frequencies) for matrix in matrices]
    size = max(len(embedding.weight), max(constituents) + 1)
    model.resize_token_embeddings(size, mean_resizing=False)
    put_rows(model, constituents, rows[0], rows[-1])


def start_rows(
    matrix: torch.Tensor,
    constituents: Constituents,
    start: Start,
    generator: torch.Generator,
    frequencies: Mapping[int, int] | None = None,
) -> torch.Tensor:
    """Rows (new tokens, width) in fp32 that are made of the rows of `matrix`, in the order of `constituents`."""
    matrix = matrix.float()
    if start == "random":
        mean, deviation = matrix.mean(0), matrix.std(0)
        noise = torch.randn(len(constituents), len(mean), generator=generator)
        return mean + deviation * noise.to(matrix.device)
    rows = []
    for parts in constituents.values():
        weights = torch.ones(len(parts), device=matrix.device)
        if start == "frequency_weighted_mean":
            counts = frequencies or {}
            weights = torch.tensor([max(counts.get(part, 0), 1) for part in parts], device=matrix.device) ** -0.5
        rows.append(weights / weights.sum() @ matrix[list(parts)])
    return torch.stack(rows)


@torch.no_grad()
def put_rows(
    model: PreTrainedModel, token_ids: Sequence[int] | Constituents, inputs: torch.Tensor, outputs: torch.Tensor
) -> None:
    """Write the rows of `token_ids` into the embedding and, unless it is tied, `outputs` into the head."""
    index = list(token_ids)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    embedding.weight[index] = inputs.to(embedding.weight)
    if not is_tied(model):
        head.weight[index] = outputs.to(head.weight)


def is_tied(model: PreTrainedModel) -> bool:
    """Whether the model's embedding and head are one matrix."""
    return model.get_output_embeddings().weight is model.get_input_embeddings().weight


def untie(model: PreTrainedModel) -> None:
    """Give the head a matrix of its own, a copy of the embedding; nothing changes if it has one."""
    if is_tied(model):
        head = model.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=head.weight.requires_grad)
        model.config.get_text_config().tie_word_embeddings = False
        model.config.tie_word_embeddings = False
