"""The loss of a language model, computed where there is a label and nowhere else.

Scores over the vocabulary are the largest tensor of a training step. A prompt needs none, and those of a long batch
need not all be there at once.

Liger's kernels do the same on GPUs alone: with them a 1B model trained at 61,100 tokens/s in 28 GB, with this loss and
compiled layers at 63,500 in 25 GB (docs/experiments.md).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from lib.tokens.token_files import IGNORED_LABEL
from lib.training.layers.compilation import compiled

LOGIT_BYTES = 2**30  # most memory for scores over the vocabulary at once, counted in fp32


def use_label_loss(model: PreTrainedModel, is_compiled: bool = False) -> None:
    """Make `model(input_ids=…, labels=…)` return nothing but `loss`, the sum over all labels of their loss in nats.

    `input_ids` and `labels` have shape (rows, positions); a label is predicted from the position before it. Rows may
    hold several examples: `position_ids`, of the same shape, then begin at 0 with each of them, and attention stays
    within an example. Without labels the model computes what it did before. It is changed in place, and must be in
    evaluation mode. `is_compiled` compiles what is done to scores.
    """
    original = model.forward
    cross_entropy = compiled(_cross_entropy) if is_compiled else cross_entropy_in_place
    is_plain = _has_plain_head(model)

    def forward(
        input_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        **options: Any,
    ) -> CausalLMOutputWithPast:
        if labels is None:
            return original(input_ids=input_ids, position_ids=position_ids, **options)
        targets = functional.pad(labels[:, 1:], (0, 1), value=IGNORED_LABEL)
        labelled = targets != IGNORED_LABEL
        # With a cache, transformers does not look for several examples in a row.
        inputs = {"input_ids": input_ids, "position_ids": position_ids, "use_cache": False}
        if is_plain:
            hidden = model.base_model(**inputs).last_hidden_state[labelled]
            rows_at_once = max(1, LOGIT_BYTES // (4 * model.config.vocab_size))
            head = model.get_output_embeddings()
            loss = summed_cross_entropy(head, hidden, targets[labelled], rows_at_once, cross_entropy)
        else:
            logits = original(**inputs, logits_to_keep=labelled).logits
            loss = cross_entropy(logits, targets[labelled])
        return CausalLMOutputWithPast(loss=loss)

    model.forward = forward


@torch.no_grad()
def keeps_examples_apart(model: PreTrainedModel) -> bool:
    """Whether a row may hold several examples: tried out with two, the first of which must not change the second.

    `model` is in evaluation mode. Its kind of attention may not know examples apart.
    """
    position_ids = torch.arange(8, device=model.device).repeat(2)[None]
    rows = torch.arange(16, device=model.device).repeat(2, 1)
    rows[1, :8] = rows[1, :8].flip(0)
    one, other = (model.base_model(input_ids=row[None], position_ids=position_ids, use_cache=False)[0] for row in rows)
    return torch.allclose(one[:, 8:], other[:, 8:], atol=1e-3)


def _cross_entropy(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(scores.float(), targets, reduction="sum")


def cross_entropy_in_place(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """As `_cross_entropy`, with the same value, in fewer passes over the scores; compiling merges passes by itself."""
    loss: torch.Tensor = _CrossEntropy.apply(scores, targets)  # type: ignore[no-untyped-call]
    return loss


class _CrossEntropy(torch.autograd.Function):
    """Makes the gradient out of its own values, in their place, instead of computing the softmax once more.

    On 255 positions of 49,152 scores, forward and backward take 0.08 s of a core instead of 0.10.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """`scores` (positions, vocabulary), `targets` (positions)."""
        values = scores.float().log_softmax(-1)
        loss = -values.gather(1, targets[:, None]).sum()
        ctx.kind = scores.dtype  # type: ignore[attr-defined]
        if ctx.needs_input_grad[0]:  # type: ignore[attr-defined]
            values.exp_()
            values[torch.arange(len(targets), device=targets.device), targets] -= 1
            ctx.save_for_backward(values)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (values,) = ctx.saved_tensors
        # Before it is rounded: in fp16, `gradient` holds the factor that keeps small values from becoming zero.
        return (values * gradient).to(ctx.kind), None


def summed_cross_entropy(
    head: nn.Module,
    hidden: torch.Tensor,
    targets: torch.Tensor,
    rows_at_once: int,
    cross_entropy: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = cross_entropy_in_place,
) -> torch.Tensor:
    """Sum over all rows of the cross-entropy of `head(hidden)` with `targets`, in nats.

    `hidden` has shape (rows, width), `targets` (rows). When there are more rows than `rows_at_once`, they are taken in
    turn, and their scores are computed again in the backward pass instead of kept.
    """

    def loss_of(part: torch.Tensor, of_part: torch.Tensor) -> torch.Tensor:
        return cross_entropy(head(part), of_part)

    if len(hidden) <= rows_at_once:
        return loss_of(hidden, targets)
    parts = zip(torch.split(hidden, rows_at_once), torch.split(targets, rows_at_once), strict=True)
    losses = [checkpoint(loss_of, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    return torch.stack(losses).sum()


@torch.no_grad()
def _has_plain_head(model: PreTrainedModel) -> bool:
    """Whether the model's scores are those of its head as they are, tried out; some models scale or cap them."""
    input_ids = torch.arange(8, device=model.device)[None]
    hidden = model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state
    scores = model(input_ids=input_ids, use_cache=False).logits
    return torch.equal(model.get_output_embeddings()(hidden), scores)
