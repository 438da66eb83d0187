"""Output rows fitted on the hidden states of the frozen model, in front of every token of some text.

The states, and what the old rows make of them, are computed once; then a softmax over old and new tokens is fitted with
the new rows alone, which takes seconds.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch.nn.functional import linear
from transformers import PreTrainedModel

from lib.extended_model.aligned_text import ReplacedText, collate_texts
from lib.extended_model.rows import Constituents
from lib.models.compute import Precision, arithmetic

BATCH_TEXTS = 4
POSITIONS_AT_ONCE = 512  # for which scores over the vocabulary are held, and in a step of the fit
PASSES = 6  # over the text, or more where it is short:
FEWEST_STEPS = 100
LEARNING_RATE = 0.03  # of the root mean square of the base's rows
PULL = 2.8e-3  # nats, in each step, for a value that is a root mean square away from its start: keeps rare tokens there
RIDGE = 1e-3  # of the mean squared hidden state


@dataclass(frozen=True)
class Positions:
    """What the old vocabulary makes of every position of some text; tensors of one value (or state) a position."""

    states: torch.Tensor
    """Final hidden states, (positions, width)."""
    next_ids: torch.Tensor
    old_mass: torch.Tensor
    """Logarithm of the sum of the old tokens' exponentiated scores."""
    next_score: torch.Tensor
    """Score of the next token where it is an old one, else 0."""


@torch.no_grad()
def read_positions(
    model: PreTrainedModel,
    texts: Sequence[ReplacedText],
    first_new: int,
    precision: Precision,
    on_progress: Callable[[int], None] = lambda texts: None,
) -> Positions:
    """Run the frozen model over `texts`; ids from `first_new` on are new. `on_progress` hears of texts done.

    Texts of similar length go through the model together; positions come back in the order of `texts`.
    """
    head = model.get_output_embeddings()
    old, bias = head.weight[:first_new], None if head.bias is None else head.bias[:first_new]
    parts: list[list[tuple[torch.Tensor, ...]]] = [[] for _ in texts]
    by_length = sorted(range(len(texts)), key=lambda number: len(texts[number].ids))
    with arithmetic(precision, model.device):
        if torch.is_autocast_enabled(model.device.type):
            old = old.to(torch.get_autocast_dtype(model.device.type))  # once, not for every text
        for start in range(0, len(texts), BATCH_TEXTS):
            numbers = by_length[start : start + BATCH_TEXTS]
            batch = collate_texts([texts[number] for number in numbers], model.device)
            states = model.base_model(input_ids=batch.ids, use_cache=False).last_hidden_state
            for number, of_text, text_ids, is_text in zip(numbers, states, batch.ids, batch.is_text, strict=True):
                is_next = is_text[1:]
                for some, ids in zip(
                    torch.split(of_text[:-1][is_next], POSITIONS_AT_ONCE),
                    torch.split(text_ids[1:][is_next], POSITIONS_AT_ONCE),
                    strict=True,
                ):
                    scores = linear(some, old, bias).float()
                    of_next = scores.gather(1, ids.clamp(max=first_new - 1)[:, None])[:, 0]
                    of_next = of_next.where(ids < first_new, 0)
                    parts[number].append((some.float(), ids, scores.logsumexp(-1), of_next))
            on_progress(min(start + BATCH_TEXTS, len(texts)))
    return Positions(*(torch.cat(values) for values in zip(*chain.from_iterable(parts), strict=True)))


@torch.no_grad()
def shares_of_first(
    model: PreTrainedModel, constituents: Constituents, texts: Sequence[ReplacedText], positions: Positions
) -> torch.Tensor:
    """Rows (new tokens, width) that give a new token its share of the score of the token that it begins with.

    The logarithm of the share of the first constituent's occurrences that the new token takes is added along a
    direction whose product with every hidden state is about 1, found by ridge regression.
    """
    squares = positions.states.T @ positions.states
    ridge = RIDGE * squares.trace() / len(squares) * torch.eye(len(squares), device=squares.device)
    one: torch.Tensor = torch.linalg.solve(squares + ridge, positions.states.sum(0))
    taken = Counter(token_id for text in texts for token_id in text.ids)
    before = Counter(token_id for text in texts for token_id in text.base_ids)
    # A token that does not occur counts half an occurrence.
    shares = [max(taken[token], 0.5) / max(before[parts[0]], 1) for token, parts in constituents.items()]
    logarithms = torch.tensor([math.log(min(share, 1)) for share in shares], device=one.device)
    weight: torch.Tensor = model.get_output_embeddings().weight
    return weight[[parts[0] for parts in constituents.values()]].float() + logarithms[:, None] * one


def fit_output_rows(
    rows: torch.Tensor,
    scale: float,
    first_new: int,
    positions: Positions,
    precision: Precision,
    generator: torch.Generator,
    on_progress: Callable[[int, int, float], None] = lambda number, passes, loss: None,
) -> torch.Tensor:
    """Rows (new tokens, width) like `rows`, fitted to give the next token of every position its probability.

    `scale` is the root mean square of the base's rows. Row i belongs to the id `first_new` + i. Adam, with a rate that
    falls to zero, and a price on every row's distance from its start. `on_progress` hears of each pass's number, of
    how many there are, and of its mean loss.
    """
    start = rows.detach()
    rows = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([rows], lr=LEARNING_RATE * scale, betas=(0.9, 0.98))
    count = len(positions.states)
    steps_in_pass = math.ceil(count / POSITIONS_AT_ONCE)
    passes = max(PASSES, math.ceil(FEWEST_STEPS / steps_in_pass))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (passes * steps_in_pass))
    for number in range(passes):
        total = 0.0
        order = torch.randperm(count, generator=generator).to(rows.device)
        for chosen in torch.split(order, POSITIONS_AT_ONCE):
            with arithmetic(precision, rows.device):
                scores = linear(positions.states[chosen], rows).float()
            ids = positions.next_ids[chosen]
            mass = torch.logaddexp(positions.old_mass[chosen], scores.logsumexp(-1))
            of_new = scores.gather(1, (ids - first_new).clamp(min=0)[:, None])[:, 0]
            loss = (mass - of_new.where(ids >= first_new, positions.next_score[chosen])).sum()
            away = PULL * ((rows - start) / scale).square().sum()
            optimizer.zero_grad()
            torch.autograd.backward((loss + away) / len(chosen))
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        on_progress(number + 1, passes, total / count)
    return rows.detach()
