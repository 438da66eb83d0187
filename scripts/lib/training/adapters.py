"""What is trained in a model: a LoRA adapter and embedding rows, or every weight; and the finished model of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel

from lib.core.errors import UserError
from lib.core.integrity import require_intact
from lib.core.outputs import read_json, write_json
from lib.models.loading import load_model
from lib.settings.training import AdapterSettings, TrainingSettings
from lib.training.layers.lora import speed_up_lora
from lib.training.layers.new_rows import speed_up_new_rows

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_FILES = (ADAPTER_CONFIG, "adapter_model.safetensors")
# What every version of PEFT knows, and tells whoever opens the file what the adapter is.
DESCRIPTION = {"base_model_name_or_path", "peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "target_modules"}


def make_trainable(
    model: PreTrainedModel,
    settings: TrainingSettings,
    new_token_ids: Sequence[int],
    section: str,
    adapter: Path | None = None,
) -> PreTrainedModel | PeftModel:
    """`model` ready to be trained as `settings` say: with a fresh adapter, with the one in `adapter`, or as a whole.

    Raises UserError when `settings.target_modules` names a layer that the model does not have; `section` is the
    settings section that the error names.
    """
    if settings.method == "full":
        model.requires_grad_(True)
        return model
    if settings.quantization != "none":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=settings.gradient_checkpointing)
    elif settings.gradient_checkpointing:
        model.enable_input_require_grads()
    if adapter is not None:
        trained = _sped_up(PeftModel.from_pretrained(model, require_intact(adapter, *ADAPTER_FILES), is_trainable=True))
    else:
        trained = add_adapter(model, settings, new_token_ids, section)
    if settings.embeddings == "all":
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            # In place, without PEFT's copy beside the original: a tied head stays tied.
            layer.weight.data = layer.weight.data.float()
            layer.weight.requires_grad_(True)
    return trained


def add_adapter(
    model: PreTrainedModel, settings: AdapterSettings, new_token_ids: Sequence[int], section: str
) -> PeftModel:
    """`model` frozen, with a fresh LoRA adapter and, if `settings` say so, trainable rows for `new_token_ids`."""
    rows = new_token_ids if settings.embeddings == "new_rows" else []
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        use_rslora=settings.rslora,
        use_dora=settings.dora,
        target_modules=_targets(model, settings.target_modules, section),
        trainable_token_indices=_trainable_rows(model, rows),
    )
    return _sped_up(get_peft_model(model, config))


def _sped_up(model: PeftModel) -> PeftModel:
    speed_up_new_rows(model)
    speed_up_lora(model)
    return model


def save_adapter(
    model: PeftModel, directory: Path, *, embeddings: bool, state_dict: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Write the adapter of `model` as PEFT does, and with `embeddings` the whole embedding and head.

    Options that are not used stay out of its configuration: older versions of PEFT do not know all of them.
    """
    model.save_pretrained(directory, state_dict=state_dict, save_embedding_layers=embeddings)
    (directory / "README.md").unlink(missing_ok=True)  # PEFT's empty template
    config, unused = read_json(directory / ADAPTER_CONFIG), LoraConfig().to_dict()
    del config["peft_version"]
    # What PEFT holds as sets comes out in another order in every process.
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    used = {key: value for key, value in config.items() if key in DESCRIPTION or value != unused.get(key)}
    write_json(directory / ADAPTER_CONFIG, used)


def trained_model(base_model: Path, trained: Path) -> PreTrainedModel:
    """What a training stage made of the model in `base_model`, in full precision, as one model.

    `trained` is the stage's result: an adapter, whose update is added to the weights, or a whole model.
    """
    if not (trained / ADAPTER_CONFIG).is_file():
        return load_model(trained)
    model = PeftModel.from_pretrained(load_model(base_model), require_intact(trained, *ADAPTER_FILES))
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


def _targets(model: PreTrainedModel, targets: str | list[str], section: str) -> str | list[str]:
    """PEFT's `target_modules`; UserError unless the model has them all."""
    if targets == "all-linear":
        return targets
    targets = [targets] if isinstance(targets, str) else list(targets)
    known = linear_layers(model)
    for target in targets:
        if target not in known:
            raise UserError(
                f"settings: {section}.target_modules names {target!r}, which the model does not have; "
                f"it has {', '.join(known)}"
            )
    return targets


def _trainable_rows(model: PreTrainedModel, new_token_ids: Sequence[int]) -> dict[str, list[int]] | None:
    """PEFT's `trainable_token_indices`: rows of the input embedding and, when it is not tied, of the head."""
    if not new_token_ids:
        return None
    embeddings = [model.get_input_embeddings()]
    if model.get_output_embeddings().weight is not embeddings[0].weight:
        embeddings.append(model.get_output_embeddings())
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(module)].rsplit(".", 1)[-1]: sorted(new_token_ids) for module in embeddings}
