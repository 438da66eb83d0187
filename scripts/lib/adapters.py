"""LoRA adapters: put on a model for training, and merged into it afterwards."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel

from lib.errors import UserError
from lib.models import load_model
from lib.new_rows import speed_up_new_rows
from lib.settings.training import TrainingSettings


def add_adapter(
    model: PreTrainedModel, settings: TrainingSettings, new_token_ids: Sequence[int], section: str
) -> PeftModel:
    """`model` frozen, with a fresh LoRA adapter and trainable embedding rows for `new_token_ids` only.

    Raises UserError when `settings.target_modules` names a layer that the model does not have; `section` is the
    settings section that the error names.
    """
    targets = settings.target_modules
    if targets != "all-linear":
        targets = [targets] if isinstance(targets, str) else list(targets)
        known = linear_layers(model)
        for target in targets:
            if target not in known:
                raise UserError(
                    f"settings: {section}.target_modules names {target!r}, which the model does not have; "
                    f"it has {', '.join(known)}"
                )
    if settings.quantization != "none":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=settings.gradient_checkpointing)
    elif settings.gradient_checkpointing:
        model.enable_input_require_grads()
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        trainable_token_indices=_trainable_rows(model, new_token_ids),
    )
    adapted = get_peft_model(model, config)
    speed_up_new_rows(adapted)
    return adapted


def merge_adapter(base_model: Path, adapter: Path) -> PreTrainedModel:
    """The model in `base_model`, in full precision, with the adapter's update added to its weights."""
    model = PeftModel.from_pretrained(load_model(base_model), adapter)
    return model.merge_and_unload()


def linear_layers(model: PreTrainedModel) -> list[str]:
    """Names of the kinds of linear layer that an adapter can be put on."""
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and module is not head
        }
    )


def _trainable_rows(model: PreTrainedModel, new_token_ids: Sequence[int]) -> dict[str, list[int]] | None:
    """PEFT's `trainable_token_indices`: rows of the input embedding and, when it is not tied, of the head."""
    if not new_token_ids:
        return None
    embeddings = [model.get_input_embeddings()]
    if model.get_output_embeddings().weight is not embeddings[0].weight:
        embeddings.append(model.get_output_embeddings())
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(module)].rsplit(".", 1)[-1]: sorted(new_token_ids) for module in embeddings}
