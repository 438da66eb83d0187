"""What describes a training run: its flags, what it is made from, and what shapes its weights."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from lib.core.outputs import sha256_file
from lib.distributed.processes import number_of_processes
from lib.models.compute import Precision
from lib.settings.training import TrainingSettings
from lib.training.checkpoints import content_digest


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

    def inputs(self) -> dict[str, Path]:
        """The manifests of what the run starts from, by name."""
        return {"model": self.model, "data": self.data} | ({"adapter": self.adapter} if self.adapter else {})

    def made_from(self) -> dict[str, Any]:
        """What the manifest says of inputs, settings and seed."""
        return {
            "inputs": {name: sha256_file(path) for name, path in self.inputs().items()},
            "settings": self.settings.model_dump(mode="json"),
            "seed": self.seed,
        }

    def identity(self, device: torch.device, precision: Precision, steps: int, validation_rows: int) -> dict[str, Any]:
        """What shapes the weights of a step, and what their validation loss is measured on.

        When to log, measure, save, stop and publish is no part of it, nor are the versions of libraries.
        """
        return {
            **self.settings.shaping(),
            "precision": precision,
            # Of a run that is given a time, the number of steps is in its checkpoints.
            "steps": f"{self.settings.minutes:g} minutes" if self.settings.minutes else steps,
            "seed": self.seed,
            "device": device.type,
            "processes": number_of_processes(),
            "validation_rows": validation_rows,
            "model": content_digest(self.model),
            "adapter": content_digest(self.adapter) if self.adapter else None,
            "data": content_digest(self.data),
        }


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
