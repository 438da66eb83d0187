"""AdamW for the parameters that are trained, in 32 bits or through bitsandbytes in 8."""

from typing import Any

import torch
from bitsandbytes.optim.adamw import AdamW8bit, PagedAdamW8bit
from peft import PeftModel
from transformers import PreTrainedModel

from lib.settings.training import TrainingSettings


def make_optimizer(model: PreTrainedModel | PeftModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    """An optimizer over the parameters of `model` that require a gradient; embedding rows have a rate of their own."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    embeddings = {
        id(parameter)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings())
        for parameter in layer.parameters()
    }
    weights = [parameter for parameter in trained if id(parameter) not in embeddings]
    rows = [parameter for parameter in trained if id(parameter) in embeddings]
    rates = (settings.learning_rate, settings.embedding_learning_rate or settings.learning_rate)
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate}
        for parameters, rate in zip((weights, rows), rates, strict=True)
        if parameters
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    kind = AdamW8bit if settings.optimizer == "adamw_8bit" else PagedAdamW8bit
    optimizer: torch.optim.Optimizer = kind(groups, weight_decay=settings.weight_decay)
    return optimizer
