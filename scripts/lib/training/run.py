"""A training run of either stage, from its data to the published adapter or model."""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import datasets
import pandas as pd
import torch
from peft import PeftModel
from transformers import PreTrainedModel, PrinterCallback, TrainerState, TrainingArguments, set_seed

from lib.core.errors import OutOfMemoryError, UserError
from lib.core.integrity import described_directory
from lib.core.locks import Held, hold
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json, sha256_file
from lib.core.program import say
from lib.distributed.launcher import STOPPED
from lib.distributed.processes import highest, is_first, join, leave, number_of_processes, of_first, rank, wait_for_all
from lib.distributed.sharding import gather_in_forward, load_sharded, whole_embeddings
from lib.models.compute import Precision, pick_device, pick_precision, use_job_threads
from lib.models.loading import fewer_bits, load_model, quiet_libraries
from lib.models.tokenizer_files import copy_tokenizer
from lib.settings.training import TrainingSettings
from lib.tokens.order import group_by_length, number_of_steps, planned_order
from lib.training.adapters import make_trainable
from lib.training.callbacks import (
    KeepBest,
    Progress,
    StopOnRequest,
    best_and_start,
    is_worse_than_start,
    no_longer_falls,
    validation_losses,
)
from lib.training.checkpoints import (
    begin,
    checkpoint_with_lowest_loss,
    content_digest,
    difference,
    latest_checkpoint,
    read_state,
    work_directory,
)
from lib.training.collation import OrderedRows, RowSizes
from lib.training.layers.compilation import compile_layers
from lib.training.layers.label_loss import keeps_examples_apart, use_label_loss
from lib.training.layers.lora import round_frozen_weights
from lib.training.optimizers import make_optimizer
from lib.training.pace import steps_in
from lib.training.trainer import StageTrainer
from lib.training.verdicts import of_history

LENGTH_KEYS = {"pretrain": "block_size", "sft": "max_length"}
PACKAGES = ["torch", "transformers", "peft", "accelerate", "bitsandbytes"]
TRAINED_FILES = ("*.safetensors", "*.safetensors.index.json", "*config.json")
REPORTERS = {"tensorboard": "tensorboardX"}  # packages of another name
LOG_COLUMNS = ["step", "loss", "eval_loss", "learning_rate", "grad_norm"]


@dataclass(frozen=True)
class Run:
    """One training run: where everything comes from and goes to."""

    stage: Literal["pretrain", "sft"]
    settings: TrainingSettings
    seed: int
    gpu: int
    """GPUs of this node, one for each of its processes; 0 trains on the CPU."""
    model: Path
    """Manifest of the model directory to start from."""
    data: Path
    """Manifest of the directory with train.arrow and validation.arrow."""
    work: Path
    """Root of the work directories."""
    output: Path
    """Manifest of the directory that gets the adapter, or the model with `method: full`."""
    adapter: Path | None = None
    """Manifest of an adapter to go on from; a fresh one when not given."""

    @classmethod
    def of(cls, stage: Literal["pretrain", "sft"], settings: TrainingSettings, args: argparse.Namespace) -> "Run":
        """The run that the flags of `add_run_arguments`, and --adapter where there is one, describe."""
        flags = ("seed", "gpu", "model", "data", "work", "output", "adapter")
        return cls(stage, settings, **{flag: getattr(args, flag) for flag in flags if flag in args})


def train(run: Run, train_set: datasets.Dataset, validation_set: datasets.Dataset, by_length: bool) -> None:
    """Train, and publish what had the lowest validation loss into the directory of `run.output`.

    Rows of both sets have `input_ids` and may have `labels` (without them every token but the first is predicted) and
    `position_ids` (a row then holds several examples, each beginning at 0). Those of `validation_set` may name their
    `source`. With `by_length`, rows of similar length stand in a batch. Resumes from the newest checkpoint of an
    identical run. When it is told to stop before the last step, it leaves a checkpoint and exits with status STOPPED.
    Of several calls for one stage, one trains; the others wait for it.
    """
    with ExitStack() as lock:
        _train(run, train_set, validation_set, by_length, lock)


def _train(
    run: Run, train_set: datasets.Dataset, validation_set: datasets.Dataset, by_length: bool, lock: ExitStack
) -> None:
    settings = run.settings
    quiet_libraries()
    _require_reporters(run)
    if settings.fsdp and number_of_processes() == 1:
        raise UserError(
            f"settings: {run.stage}.fsdp spreads weights over processes, but there is one; raise gpu or nodes"
        )
    use_job_threads()
    device = pick_device(run.gpu)
    join(device)
    precision = pick_precision(settings.precision, device)
    batch = settings.batch_size * settings.gradient_accumulation * number_of_processes()
    steps = number_of_steps(len(train_set), batch, settings.epochs, settings.max_steps)
    identity = _identity(run, device, precision, steps, len(validation_set))
    work = work_directory(run.work / run.stage, identity)
    if of_first(_was_trained_by_another(run, work, lock) if is_first() else None):
        leave()
        return
    sizes = RowSizes.of(train_set)
    model, counts = _prepare_model(run, device, precision, sizes, "position_ids" in train_set.column_names)
    checkpoint = of_first(latest_checkpoint(work) if is_first() else None)
    state = read_state(checkpoint) if checkpoint else None
    if settings.minutes:
        steps = state.max_steps if state else highest(steps_in(settings.minutes, model, train_set, settings, precision))
        say(f"{run.stage}: {steps} steps fit into {settings.minutes:g} minutes")
    order = planned_order(run.data.parent, len(train_set), steps * batch, run.seed)
    if by_length:
        order = group_by_length(order, sizes.tokens, batch, run.seed)
    shares = sizes.shares(order, settings.batch_size)
    say(
        f"{run.stage}: {counts['trainable_parameters']:,} of {counts['all_parameters']:,} parameters are trained "
        f"({counts['trainable_parameters'] / counts['all_parameters']:.2%}), in {precision}; padding is "
        f"{shares['padding_share']:.1%} of the positions, {shares['masked_share']:.1%} of the tokens are masked"
    )
    stop = StopOnRequest(settings.max_minutes)
    if state is not None and _is_finished(state, steps, settings):
        say(f"{run.stage}: all steps are done in {checkpoint}; there is nothing left to train")
    else:
        if is_first():
            _say_where_it_starts(run.stage, work, identity, checkpoint)
        trainer = StageTrainer(
            stage=run.stage,
            save_embeddings=settings.embeddings == "all",
            save_total_limit=settings.save_total_limit,
            model=model,
            args=_arguments(run, work, steps, precision, device, is_new=checkpoint is None),
            train_dataset=OrderedRows(train_set, order),
            eval_dataset=validation_set,
            callbacks=[
                Progress(run.stage, float(sizes.tokens[order].sum()) / steps),
                KeepBest(settings.early_stopping_patience),
                stop,
            ],
            optimizers=(make_optimizer(model, settings), None),
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except torch.OutOfMemoryError:
            raise OutOfMemoryError(
                f"{run.stage}: the GPU has too little memory; lower {run.stage}.batch_size and raise "
                f"{run.stage}.gradient_accumulation, or set {run.stage}.gradient_checkpointing"
            ) from None
        state = trainer.state
        if not _is_finished(state, steps, settings):
            say(f"{run.stage}: stopped by {stop.reason} at step {state.global_step}; run again to go on")
            leave()
            sys.exit(STOPPED)
    verdict = of_history(state.log_history)
    say(f"{run.stage}: {verdict.sentence}")
    _require_progress(run, state, work)
    if is_first():
        facts = {
            "precision": precision,
            "processes": number_of_processes(),
            **shares,
            "worse_than_start": is_worse_than_start(state),
            "verdict": asdict(verdict),
        }
        _publish(run, work, state, {**counts, "steps": state.global_step}, facts)
        shutil.rmtree(work)
    wait_for_all()
    leave()


def _was_trained_by_another(run: Run, work: Path, lock: ExitStack) -> bool:
    """Take the `lock` of the work directory; whether a process that had it has done what is to be done.

    Snakemake that was killed may leave a training behind. It ends after the step that it is at, and is waited for.
    """
    path = work.with_suffix(".lock")
    try:
        lock.enter_context(hold(path))
        return False
    except Held as holder:
        say(f"{run.stage}: {holder} trains in {work}; waiting for it to end")
    lock.enter_context(hold(path, waits=True))
    published = read_json(run.output) if run.output.is_file() else {}
    if any(published.get(key) != value for key, value in _made_from(run).items()):
        return False
    say(f"{run.stage}: it has finished this stage")
    return True


def _made_from(run: Run) -> dict[str, Any]:
    """What the manifest says of inputs, settings and seed."""
    inputs = {"model": run.model, "data": run.data} | ({"adapter": run.adapter} if run.adapter else {})
    return {
        "inputs": {name: sha256_file(path) for name, path in inputs.items()},
        "settings": run.settings.model_dump(mode="json"),
        "seed": run.seed,
    }


def _identity(run: Run, device: torch.device, precision: Precision, steps: int, validation_rows: int) -> dict[str, Any]:
    """What shapes the weights of a step, and what their validation loss is measured on.

    When to log, measure, save, stop and publish is no part of it, nor are the versions of libraries.
    """
    return {
        **run.settings.shaping(),
        "precision": precision,
        # Of a run that is given a time, the number of steps is in its checkpoints.
        "steps": f"{run.settings.minutes:g} minutes" if run.settings.minutes else steps,
        "seed": run.seed,
        "device": device.type,
        "processes": number_of_processes(),
        "validation_rows": validation_rows,
        "model": content_digest(run.model),
        "adapter": content_digest(run.adapter) if run.adapter else None,
        "data": content_digest(run.data),
    }


def _say_where_it_starts(stage: str, work: Path, identity: Mapping[str, Any], checkpoint: Path | None) -> None:
    """A line on the checkpoint that the run goes on from or, when it starts afresh, on those of other runs."""
    if checkpoint:
        say(f"{stage}: going on from {checkpoint}")
        return
    if others := difference(work, identity):
        say(f"{stage}: {others}; starting afresh")
    begin(work, identity)


def _prepare_model(
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
        round_frozen_weights(trained, torch.bfloat16 if precision == "bf16" else torch.float16)
    if settings.compile:
        compile_layers(model, run.stage, lengths_vary=run.stage == "sft")
    counts = {
        "trainable_parameters": sum(p.numel() for p in trained.parameters() if p.requires_grad),
        "all_parameters": trained.num_parameters(),
        "weights_megabytes": round(footprint / 1e6, 1),
    }
    return trained, counts


def _arguments(
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


def _is_finished(state: TrainerState, steps: int, settings: TrainingSettings) -> bool:
    return state.global_step >= steps or no_longer_falls(state, settings.early_stopping_patience)


def _require_progress(run: Run, state: TrainerState, work: Path) -> None:
    """UserError when the run never was better than its start, unless `allow_worse` is set; then a line says so."""
    if not is_worse_than_start(state):
        return
    problem = f"{run.stage}: the validation loss never fell below its start: {best_and_start(state)}"
    if run.settings.allow_worse:
        say(f"{problem}; published all the same, since {run.stage}.allow_worse is set")
        return
    leave()
    raise UserError(
        f"{problem}; nothing is published. Lower {run.stage}.learning_rate ({run.settings.learning_rate:g}), train for "
        f"more steps, or set {run.stage}.allow_worse to publish it from its checkpoints in {work}"
    )


def _publish(run: Run, work: Path, state: TrainerState, counts: Mapping[str, int], facts: Mapping[str, Any]) -> None:
    """Write the best adapter or model, the training log and the manifest."""
    history = pd.DataFrame(state.log_history)
    by_source = sorted(filter(re.compile("eval_loss_").match, map(str, history)))
    columns = [column for column in (*LOG_COLUMNS, *by_source) if column in history]
    best = checkpoint_with_lowest_loss(work / f"checkpoint-{state.global_step}")
    if best is None:
        raise UserError(f"{run.stage}: {work} has no checkpoint with a validation loss; remove it and run again")
    trained = [path for pattern in TRAINED_FILES for path in best.glob(pattern)]
    if not any(path.suffix == ".safetensors" for path in trained):
        raise UserError(f"{run.stage}: {best} has no weights; remove {work} and run again")
    with described_directory(run.output.parent) as directory:
        for path in trained:
            shutil.copyfile(path, directory / path.name)
        # The one that the data was encoded with: the model's own, or that of the examples with their chat template.
        tokenizer = run.data.parent / "tokenizer"
        copy_tokenizer(tokenizer if tokenizer.is_dir() else run.model.parent, directory)
        history[columns].dropna(how="all", subset=columns[1:]).to_csv(
            directory / "trainer_log.tsv", sep="\t", index=False
        )
        write_manifest(
            directory,
            inputs={"model": run.model, "data": run.data} | ({"adapter": run.adapter} if run.adapter else {}),
            counts={
                **counts,
                "best_step": state.best_global_step,
                "best_validation_loss": state.best_metric,
                "validation_loss_at_start": validation_losses(state)[0],
            },
            settings=run.settings,
            seed=run.seed,
            packages=PACKAGES,
            facts=facts,
        )
    what = "adapter" if run.settings.method == "lora" else "model"
    say(
        f"{run.stage}: best validation loss {state.best_metric:.4f} at step {state.best_global_step}; {what} is in "
        f"{run.output.parent}",
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that both training programs take."""
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--gpu", type=int, required=True, help="GPUs of each node; 0 trains on the CPU")
    parser.add_argument("--processes", type=int, default=1, help="processes of each node when there is no GPU")
    parser.add_argument("--nodes", type=int, default=1, help="nodes of the SLURM job that train together")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--work", type=Path, default=Path("work"), help="where checkpoints are kept until the run is done"
    )
    parser.add_argument("--output", type=Path, required=True)


def require_examples(data: datasets.Dataset, what: str, remedy: str) -> None:
    """Raise UserError when there is nothing to train or validate on."""
    if not len(data):
        raise UserError(f"no {what}; {remedy}")


def _require_reporters(run: Run) -> None:
    for reporter in run.settings.report_to:
        package = REPORTERS.get(reporter, reporter)
        if find_spec(package) is None:
            raise UserError(
                f"settings: {run.stage}.report_to names {reporter}, but {package} is not installed; "
                f"run pip install {package}, or take it out"
            )
