"""The training loop of both stages: transformers' Trainer with adapters, checkpoints and an order known beforehand."""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import datasets
import numpy as np
import pandas as pd
import torch
from peft import PeftModel
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from lib.adapters import add_adapter
from lib.arrow import IGNORED_LABEL
from lib.callbacks import Progress, StopOnRequest
from lib.checkpoints import latest_checkpoint, work_directory
from lib.data_order import group_by_length, number_of_steps, shuffled
from lib.errors import UserError
from lib.manifest import read_json, write_manifest
from lib.models import load_model, pick_device, pick_precision, quiet_libraries
from lib.outputs import new_directory
from lib.settings.training import TrainingSettings

STOPPED = 75  # EX_TEMPFAIL: not finished, but nothing is wrong; run again to go on


@dataclass(frozen=True)
class Run:
    """One training run: where everything comes from and goes to."""

    stage: Literal["pretrain", "sft"]
    settings: TrainingSettings
    seed: int
    gpu: int
    model: Path
    """Manifest of the model directory to start from."""
    data: Path
    """Manifest of the directory with train.arrow and validation.arrow."""
    work: Path
    """Root of the work directories."""
    output: Path
    """Manifest of the directory that gets the adapter."""
    new_token_ids: Sequence[int] = ()
    """Embedding rows to train beside the adapter."""
    embedding_learning_rate: float | None = None
    """Their peak learning rate; as the adapter's when not given."""


def train(run: Run, train_set: datasets.Dataset, validation_set: datasets.Dataset, by_length: bool) -> None:
    """Train an adapter and publish the one with the lowest validation loss into the directory of `run.output`.

    Rows of both sets have `input_ids` and may have `labels`; without them every token but the first is predicted.
    Resumes from the newest checkpoint of an identical run. When it is told to stop before the last step, it leaves
    a checkpoint and exits with status STOPPED.
    """
    quiet_libraries()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    device = pick_device(run.gpu)
    precision = pick_precision(run.settings.precision, device)
    work = work_directory(
        run.work / run.stage,
        {
            "settings": run.settings.model_dump(mode="json", exclude={"max_minutes"}),
            "seed": run.seed,
            "model": read_json(run.model),
            "data": read_json(run.data),
            "precision": precision,
            "gpu": run.gpu,
        },
    )
    set_seed(run.seed)
    model = add_adapter(
        load_model(run.model.parent, device, run.settings.quantization), run.settings, run.new_token_ids, run.stage
    )
    trainable, total = model.get_nb_trainable_parameters()
    print(
        f"{run.stage}: {trainable:,} of {total:,} parameters are trained ({trainable / total:.2%}), in {precision}",
        flush=True,
    )
    batch = run.settings.batch_size * run.settings.gradient_accumulation
    steps = number_of_steps(len(train_set), batch, run.settings.epochs, run.settings.max_steps)
    order = shuffled(len(train_set), steps * batch, run.seed)
    lengths = np.asarray([len(ids) for ids in train_set["input_ids"]])
    if by_length:
        order = group_by_length(order, lengths, batch, run.seed)
    stop = StopOnRequest(run.settings.max_minutes)
    trainer = Trainer(
        model=model,
        args=_arguments(run, work, steps, precision, device),
        data_collator=collate,
        train_dataset=train_set.select(order),
        eval_dataset=validation_set,
        callbacks=[Progress(run.stage, float(lengths[order].sum()) / steps), stop],
        optimizers=(_optimizer(model, run), None),
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = latest_checkpoint(work)
    if checkpoint:
        print(f"{run.stage}: going on from {checkpoint}", flush=True)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if stop.reason and trainer.state.global_step < steps:
        print(
            f"{run.stage}: stopped by {stop.reason} at step {trainer.state.global_step}; run again to go on", flush=True
        )
        sys.exit(STOPPED)
    _publish(run, trainer, {"trainable_parameters": trainable, "all_parameters": total, "steps": steps}, precision)
    shutil.rmtree(work)


def collate(rows: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, torch.Tensor]:
    """Rows as one batch, padded on the right.

    Padding is told apart by position, never by token id: a pad token may be the end token, which must be learned.
    """
    longest = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.zeros(len(rows), longest, dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED_LABEL)
    for position, row in enumerate(rows):
        length = len(row["input_ids"])
        input_ids[position, :length] = torch.tensor(row["input_ids"])
        attention_mask[position, :length] = 1
        labels[position, :length] = torch.tensor(row.get("labels", row["input_ids"]))
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def _optimizer(model: PeftModel, run: Run) -> torch.optim.Optimizer:
    """AdamW with a learning rate of its own for embedding rows."""
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    adapters = [parameter for name, parameter in named if "trainable_tokens" not in name]
    rows = [parameter for name, parameter in named if "trainable_tokens" in name]
    groups: list[dict[str, Any]] = [{"params": adapters, "lr": run.settings.learning_rate}]
    if rows:
        groups.append({"params": rows, "lr": run.embedding_learning_rate or run.settings.learning_rate})
    return torch.optim.AdamW(groups, weight_decay=run.settings.weight_decay)


def _arguments(
    run: Run, work: Path, steps: int, precision: Literal["fp32", "bf16", "fp16"], device: torch.device
) -> TrainingArguments:
    settings = run.settings
    return TrainingArguments(
        output_dir=str(work),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=round(settings.warmup_ratio * steps) if settings.schedule != "constant" else 0,
        max_grad_norm=settings.max_grad_norm,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.type == "cpu",
        gradient_checkpointing=settings.gradient_checkpointing,
        logging_steps=settings.logging_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=settings.eval_steps,
        save_strategy="steps",
        save_steps=settings.save_steps,
        save_total_limit=settings.save_total_limit,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        train_sampling_strategy="sequential",  # the order is already in the data
        prediction_loss_only=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        disable_tqdm=True,
        seed=run.seed,
    )


def _publish(run: Run, trainer: Trainer, counts: Mapping[str, int], precision: str) -> None:
    """Write the best adapter, the training log and the manifest."""
    history = pd.DataFrame(trainer.state.log_history)
    columns = [column for column in ("step", "loss", "eval_loss", "learning_rate", "grad_norm") if column in history]
    best_step = int(str(trainer.state.best_model_checkpoint).rpartition("-")[2])
    with new_directory(run.output.parent) as directory:
        trainer.model.save_pretrained(directory, save_embedding_layers=False)
        (directory / "README.md").unlink(missing_ok=True)  # PEFT's empty template
        history[columns].dropna(how="all", subset=columns[1:]).to_csv(
            directory / "trainer_log.tsv", sep="\t", index=False
        )
        write_manifest(
            directory,
            inputs={"model": run.model, "data": run.data},
            counts={**counts, "best_step": best_step, "best_validation_loss": trainer.state.best_metric},
            settings=run.settings,
            seed=run.seed,
            packages=["torch", "transformers", "peft", "accelerate"],
            facts={"precision": precision},
        )
    print(
        f"{run.stage}: best validation loss {trainer.state.best_metric:.4f} at step {best_step}; adapter is in "
        f"{run.output.parent}",
        flush=True,
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that both training programs take."""
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--gpu", type=int, required=True, help="number of GPUs; 0 trains on the CPU")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where checkpoints are kept until the run is finished")
    parser.add_argument("--output", type=Path, required=True)


def require_examples(data: datasets.Dataset, what: str, remedy: str) -> None:
    """Raise UserError when there is nothing to train or validate on."""
    if not len(data):
        raise UserError(f"no {what}; {remedy}")
