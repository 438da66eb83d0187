"""What a training run needs before its first step: its model, ready to be trained, and what the Trainer is told."""

import os
from importlib.util import find_spec
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel, TrainingArguments, set_seed

from lib.core.errors import UserError
from lib.core.outputs import read_json
from lib.distributed.processes import rank
from lib.distributed.sharding import gather_in_forward, load_sharded, whole_embeddings
from lib.models.compute import FORMATS, Precision
from lib.models.loading import fewer_bits, load_model
from lib.training.adapters import make_trainable
from lib.training.collation import RowSizes
from lib.training.layers.compilation import compile_layers
from lib.training.layers.label_loss import keeps_examples_apart, use_label_loss
from lib.training.layers.lora import round_frozen_weights
from lib.training.run import Run

LENGTH_KEYS = {"pretrain": "block_size", "sft": "max_length"}
REPORTERS = {"tensorboard": "tensorboardX"}  # packages of another name


def require_reporters(run: Run) -> None:
    """Raise UserError when `report_to` names a package that is not installed."""
    for reporter in run.settings.report_to:
        package = REPORTERS.get(reporter, reporter)
        if find_spec(package) is None:
            raise UserError(
                f"settings: {run.stage}.report_to names {reporter}, but {package} is not installed; "
                f"run pip install {package}, or take it out"
            )


def prepare_model(
    run: Run, device: torch.device, precision: Precision, sizes: RowSizes, is_packed: bool
) -> tuple[PreTrainedModel | PeftModel, dict[str, int]]:
    """The model, ready to be trained, and its counts; UserError when the data do not suit it."""
    settings = run.settings
    set_seed(run.seed)
    if settings.fsdp:
        model = load_sharded(run.model.parent, device)
    else:
        model = load_model(
            run.model.parent,
            device,
            fewer_bits(settings.quantization, precision, settings.llm_int8_threshold),
            # Steps of a full run are too small for 16-bit weights to show.
            torch.float32 if settings.method == "full" else "auto",
        )
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit is not None and sizes.longest_example > limit:
        key = f"{run.stage}.{LENGTH_KEYS[run.stage]}"
        raise UserError(
            f"settings: {key} let in {sizes.longest_example} tokens, but the model has {limit} positions; lower {key}"
        )
    if is_packed and not keeps_examples_apart(model):
        raise UserError(
            f"settings: {run.stage}: several examples stand in a row, which this model's attention "
            f"({model.config._attn_implementation}) does not keep apart; switch packing off"
        )
    use_label_loss(model, settings.compile)
    footprint = model.get_memory_footprint()
    new_token_ids = read_json(run.model)["facts"].get("new_token_ids", [])
    adapter = run.adapter.parent if run.adapter is not None else None
    with whole_embeddings(model):
        trained = make_trainable(model, settings, new_token_ids, run.stage, adapter)
    gather_in_forward(model)
    if precision != "fp32" and not settings.fsdp:
        round_frozen_weights(trained, FORMATS[precision])
    if settings.compile:
        compile_layers(model, run.stage, lengths_vary=run.stage == "sft")
    counts = {
        "trainable_parameters": sum(p.numel() for p in trained.parameters() if p.requires_grad),
        "all_parameters": trained.num_parameters(),
        "weights_megabytes": round(footprint / 1e6, 1),
    }
    return trained, counts


def trainer_arguments(
    run: Run, work: Path, steps: int, precision: Precision, device: torch.device, is_new: bool
) -> TrainingArguments:
    settings = run.settings
    has_decay = settings.schedule == "warmup_stable_decay"
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", f"logs/tensorboard/{run.stage}")
    arguments = TrainingArguments(
        output_dir=str(work),
        run_name=run.stage,
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        lr_scheduler_kwargs={"num_decay_steps": round(settings.decay_ratio * steps)} if has_decay else {},
        warmup_steps=round(settings.warmup_ratio * steps) if settings.schedule != "constant" else 0,
        max_grad_norm=settings.max_grad_norm,
        neftune_noise_alpha=settings.neftune_noise_alpha,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.type == "cpu",
        activation_checkpointing=settings.gradient_checkpointing,
        logging_steps=settings.logging_steps,
        logging_nan_inf_filter=False,
        eval_on_start=is_new,
        eval_strategy="steps",
        eval_steps=settings.eval_steps,
        save_strategy="steps",
        save_steps=settings.save_steps,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        train_sampling_strategy="sequential",  # the order is already in the data
        prediction_loss_only=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        disable_tqdm=True,
        report_to=list(settings.report_to),
        ddp_find_unused_parameters=False,
        seed=run.seed + rank(),  # of dropout alone: the weights are made by now, and the order is in the data
    )
    # The Trainer would take all cards of the machine into one process, however many `gpu` asks for.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
