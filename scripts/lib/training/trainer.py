"""transformers' Trainer with this project's loss, validation and checkpoints."""

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import datasets
import numpy as np
import torch
from peft import PeftModel
from peft.utils import set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback, TrainerControl

from lib.core.errors import DivergedError, UserError
from lib.core.outputs import new_file, no_room, read_json, write_json
from lib.distributed.processes import is_first, number_of_processes, of_all, rank, summed, wait_for_all
from lib.distributed.sharding import is_sharded, unsharded_state
from lib.models.publishing import publish_model
from lib.tokens.token_files import IGNORED_LABEL
from lib.training import checkpoints
from lib.training.adapters import save_adapter
from lib.training.callbacks import best_and_start
from lib.training.collation import RowSizes, collate

RUNNING_LOSS = "running_loss.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


class StageTrainer(Trainer):
    """Trains a model whose loss is a sum over labels (see `label_loss`), on rows with their numbers (`OrderedRows`).

    `save_embeddings` keeps the whole embedding and head in an adapter's checkpoints. `stage` is named in messages.
    """

    def __init__(self, *, stage: str, save_embeddings: bool, save_total_limit: int, **options: Any) -> None:
        # The Trainer refuses to save the optimizer's state with a sharded model, since that might be sharded, too. Here
        # it is not: what is trained is whole in every process.
        options["args"].save_only_model = True
        super().__init__(**options, data_collator=collate)
        self.args.save_only_model = False
        self.stage = stage
        self.save_embeddings = save_embeddings
        self.save_total_limit = save_total_limit
        self.model_accepts_loss_kwargs = True  # the sum is divided by the labels of the whole step, not of the batch
        self.add_callback(_Resumed(self))

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mean loss per label of the whole optimizer step; UserError when it is not a number."""
        inputs = dict(inputs)
        rows = inputs.pop("row")
        loss = model(**inputs).loss
        if not torch.isfinite(loss):
            self._stop_at("train", rows.tolist(), loss.item())
        labels = num_items_in_batch if num_items_in_batch is not None else _count_labels(inputs)
        mean: torch.Tensor = loss * self.accelerator.num_processes / labels.clamp(min=1)
        return mean

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Validation loss per label, over all rows and for each `source` that they name when there are several.

        The processes share the batches out.
        """
        self.model.eval()
        totals = {source: np.zeros(2) for source, _ in self._validation_batches}
        batches = self._validation_batches
        for first in range(0, len(batches), number_of_processes()):
            # All processes take part in a forward pass of a sharded model: those without a batch run the last one, too.
            position = min(first + rank(), len(batches) - 1)
            source, numbers = batches[position]
            inputs = self._prepare_inputs(collate([self.eval_dataset[number] for number in numbers]))
            with torch.no_grad(), self.accelerator.autocast():
                loss = self.model(**inputs).loss.item()
            if not np.isfinite(loss):
                self._stop_at("validation", numbers, loss)
            if position == first + rank():
                totals[source] += loss, _count_labels(inputs).item()
        totals = {source: summed(total) for source, total in totals.items()}
        named = {f"eval_loss_{source}": total for source, total in totals.items()} if len(totals) > 1 else {}
        named["eval_loss"] = np.sum(list(totals.values()), axis=0)
        metrics = {name: float(nats / max(labels, 1)) for name, (nats, labels) in named.items()}
        self.log(metrics)
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    @cached_property
    def _validation_batches(self) -> list[tuple[str, list[int]]]:
        """Batches of validation rows, by their numbers: each of one source, which is named, and of similar length."""
        data: datasets.Dataset = self.eval_dataset
        sources = np.asarray(data["source"]) if "source" in data.column_names else np.full(len(data), "")
        lengths = RowSizes.of(data).tokens
        size = self.args.per_device_eval_batch_size
        batches = []
        for source in np.unique(sources):
            rows = np.flatnonzero(sources == source)
            rows = rows[np.argsort(-lengths[rows], kind="stable")]
            batches += [(str(source), rows[start : start + size].tolist()) for start in range(0, len(rows), size)]
        return batches

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: walking over all parameters in every step would cost more than the figure is worth."""
        return 0

    def _stop_at(self, split: str, rows: list[int], loss: float) -> NoReturn:
        """Write down which rows of a split gave a loss that is not a number, and end the run."""
        # Several processes may be here at once, each with rows of its own.
        path = Path(self.args.output_dir) / f"bad_batch{'' if is_first() else f'_{rank()}'}.jsonl"
        data = self.train_dataset.data if split == "train" else self.eval_dataset
        with new_file(path) as partial, partial.open("w", encoding="utf-8") as file:
            for row in rows:
                record = {"file": f"{split}.arrow", "row": row, "step": self.state.global_step + 1, **data[row]}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        step = self.state.global_step
        kind: type[UserError] = DivergedError
        if split == "validation" and not step:
            kind, problem, remedy = UserError, f"before the first step, the validation loss is {loss}", ""
        else:
            what = f"step {step}: the validation loss" if split == "validation" else f"step {step + 1}: the loss"
            problem = f"diverged at {what} is {loss} (validation loss {best_and_start(self.state)})"
            remedy = f"lower {self.stage}.learning_rate, "
        raise kind(
            f"{self.stage}: {problem}; nothing is published; look at the rows in {path}, {remedy}or set "
            f"{self.stage}.precision to fp32, and run again"
        )

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """The model or adapter as safetensors; no pickled arguments."""
        # Asking for its state is a matter of all processes: it puts gathered weights away.
        state = unsharded_state(self.model) if is_sharded(self.model) else None
        if not is_first():
            return
        directory = Path(output_dir or self.args.output_dir)
        if not isinstance(self.model, PeftModel):
            publish_model(self.model, directory, state_dict)
        else:
            save_adapter(self.model, directory, embeddings=self.save_embeddings, state_dict=state)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        if isinstance(self.model, PeftModel):
            set_peft_model_state_dict(self.model, load_file(Path(resume_from_checkpoint) / ADAPTER_WEIGHTS))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """A checkpoint, sealed when whole, and then without the old ones; UserError when there is no room for it."""
        work = Path(self.args.output_dir)
        checkpoint = work / f"checkpoint-{self.state.global_step}"
        losses = of_all(self._tr_loss.item())
        try:
            checkpoint.mkdir(parents=True, exist_ok=True)
            if is_first():
                running = {"sums": losses, "last_logged": self._globalstep_last_logged}
                write_json(checkpoint / RUNNING_LOSS, running)
            super()._save_checkpoint(model, trial)
            wait_for_all()  # each writes the state of its random numbers
            if is_first():
                checkpoints.seal(checkpoint)
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(checkpoint, ignore_errors=True)
            raise no_room(error, checkpoint) or error from None
        if is_first():
            checkpoints.remove_old(work, self.save_total_limit)
        wait_for_all()


class _Resumed(TrainerCallback):
    """Gives a resumed run the losses since the last line of the log, so that its log is that of an undisturbed one.

    How often it logs, measures and saves is up to its own settings, not to those of the checkpoint.
    """

    def __init__(self, trainer: StageTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.global_step:
            running = read_json(checkpoint / RUNNING_LOSS)
            self.trainer._tr_loss += running["sums"][rank()]
            self.trainer._globalstep_last_logged = running["last_logged"]
            state.compute_steps(args, state.max_steps)


def _count_labels(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Number of labels that are predicted; nothing stands before the first position."""
    return inputs["labels"][:, 1:].ne(IGNORED_LABEL).sum()
