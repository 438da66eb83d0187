"""A training run of either stage, from its data to the published adapter or model."""

import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import torch
from transformers import PrinterCallback, TrainerState

from lib.core.errors import OutOfMemoryError, UserError
from lib.core.integrity import described_directory
from lib.core.locks import Held, hold
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json
from lib.core.program import say
from lib.distributed.launcher import STOPPED
from lib.distributed.processes import highest, is_first, join, leave, number_of_processes, of_first, wait_for_all
from lib.models.compute import pick_device, pick_precision, use_job_threads
from lib.models.loading import quiet_libraries
from lib.models.tokenizer_files import copy_tokenizer
from lib.settings.training import TrainingSettings
from lib.tokens.order import group_by_length, number_of_steps, planned_order
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
    difference,
    latest_checkpoint,
    read_state,
    work_directory,
)
from lib.training.collation import OrderedRows, RowSizes
from lib.training.optimizers import make_optimizer
from lib.training.pace import steps_in
from lib.training.preparation import prepare_model, require_reporters, trainer_arguments
from lib.training.run import Run
from lib.training.trainer import StageTrainer
from lib.training.verdicts import of_history

PACKAGES = ["torch", "transformers", "peft", "accelerate", "bitsandbytes"]
TRAINED_FILES = ("*.safetensors", "*.safetensors.index.json", "*config.json")
LOG_COLUMNS = ["step", "loss", "eval_loss", "learning_rate", "grad_norm"]


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
    require_reporters(run)
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
    identity = run.identity(device, precision, steps, len(validation_set))
    work = work_directory(run.work / run.stage, identity)
    if of_first(_was_trained_by_another(run, work, lock) if is_first() else None):
        leave()
        return
    sizes = RowSizes.of(train_set)
    model, counts = prepare_model(run, device, precision, sizes, "position_ids" in train_set.column_names)
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
            args=trainer_arguments(run, work, steps, precision, device, is_new=checkpoint is None),
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
    if any(published.get(key) != value for key, value in run.made_from().items()):
        return False
    say(f"{run.stage}: it has finished this stage")
    return True


def _say_where_it_starts(stage: str, work: Path, identity: Mapping[str, Any], checkpoint: Path | None) -> None:
    """A line on the checkpoint that the run goes on from or, when it starts afresh, on those of other runs."""
    if checkpoint:
        say(f"{stage}: going on from {checkpoint}")
        return
    if others := difference(work, identity):
        say(f"{stage}: {others}; starting afresh")
    begin(work, identity)


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
            inputs=run.inputs(),
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


def require_examples(data: datasets.Dataset, what: str, remedy: str) -> None:
    """Raise UserError when there is nothing to train or validate on."""
    if not len(data):
        raise UserError(f"no {what}; {remedy}")
