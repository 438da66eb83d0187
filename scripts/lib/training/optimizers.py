"""AdamW for the parameters that are trained, in 32 bits or through bitsandbytes in 8, and what differs for new rows.

Adam divides a parameter's mean gradient by its own root mean square, so a row whose token hardly occurs moves as far as
a frequent one: the softmax gives it a tiny, steady gradient, and the division takes its size away. That undoes what
such rows were taught before. Coupled Adam (Stollenwerk and Stollenwerk, arXiv:2502.08441) divides all rows by one mean.
Here that mean is a floor, so that frequent rows learn as with Adam. No step is longer than Adam's; with gradients that
are r times the root mean square over all rows, it is r / √`FLOOR` times as long at most.
"""

from collections.abc import Callable
from typing import Any

import torch
from bitsandbytes.optim.adamw import AdamW8bit, PagedAdamW8bit
from peft import PeftModel
from peft.tuners.trainable_tokens import TrainableTokensLayer
from transformers import PreTrainedModel

from lib.settings.training import TrainingSettings

FLOOR = 0.25
"""Minimum of a new row's second moment, as a share of the mean over all new rows, coordinate by coordinate."""

NEW_ROWS = "new_rows"
"""Key of a group of parameters: whether each of them holds the rows of new tokens."""


class _NewRows(torch.optim.Optimizer):
    """Mixin of an optimizer: groups of new rows are updated here, with states in 32 bits, all others by it.

    Every process of a run has all new rows and their mean gradient, so that means over rows are the same everywhere.
    """

    # GradScaler would otherwise leave it to the optimizer to scale gradients back and to skip a step.
    _step_supports_amp_scaling = False

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One step on all parameters; `closure` is not supported."""
        of_new_rows = [group for group in self.param_groups if group[NEW_ROWS]]
        moved = [(rows, rows.grad, group) for group in of_new_rows for rows in group["params"] if rows.grad is not None]
        for rows, _, _ in moved:
            rows.grad = None  # the other optimizer then leaves them alone
        super().step()
        for rows, gradient, group in moved:
            rows.grad = gradient
            _move(rows, gradient.float(), self.state[rows], group)


@torch.no_grad()
def _move(rows: torch.Tensor, gradient: torch.Tensor, state: dict[str, torch.Tensor], group: dict[str, Any]) -> None:
    """AdamW's step of `rows` (rows, width), with a floor for the second moment; `state` has AdamW's names."""
    if "exp_avg" not in state:
        state["step"] = torch.zeros((), device=rows.device)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    first, second = group["betas"]
    mean = state["exp_avg"].lerp_(gradient, 1 - first) / (1 - first ** state["step"])
    square = state["exp_avg_sq"].lerp_(gradient.square(), 1 - second) / (1 - second ** state["step"])
    square = torch.maximum(square, FLOOR * square.mean(dim=0))
    rows.mul_(1 - group["lr"] * group["weight_decay"])
    rows.sub_((group["lr"] * mean / (square.sqrt() + group["eps"])).to(rows.dtype))


class _AdamW(_NewRows, torch.optim.AdamW):
    pass


class _AdamW8bit(_NewRows, AdamW8bit):
    pass


class _PagedAdamW8bit(_NewRows, PagedAdamW8bit):
    pass


def make_optimizer(model: PreTrainedModel | PeftModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    """An optimizer over the parameters of `model` that require a gradient; embedding rows have a rate of their own."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    embeddings = _ids_of(model.get_input_embeddings(), model.get_output_embeddings())
    new_rows = _ids_of(*(layer for layer in model.modules() if isinstance(layer, TrainableTokensLayer)))
    of_rows = settings.embedding_learning_rate or settings.learning_rate
    kinds = (
        (settings.learning_rate, False, [one for one in trained if id(one) not in embeddings]),
        (of_rows, False, [one for one in trained if id(one) in embeddings - new_rows]),
        (of_rows, True, [one for one in trained if id(one) in new_rows]),
    )
    groups = [{"params": ones, "lr": rate, NEW_ROWS: are_new} for rate, are_new, ones in kinds if ones]
    match settings.optimizer:
        case "adamw":
            return _AdamW(groups, weight_decay=settings.weight_decay, fused=True)
        case "adamw_8bit":
            return _AdamW8bit(groups, weight_decay=settings.weight_decay)  # type: ignore[no-untyped-call]
        case "paged_adamw_8bit":
            return _PagedAdamW8bit(groups, weight_decay=settings.weight_decay)  # type: ignore[no-untyped-call]


def _ids_of(*layers: torch.nn.Module) -> set[int]:
    """Python's ids of the parameters of some layers; a tied one is the same in both."""
    return {id(parameter) for layer in layers for parameter in layer.parameters()}
