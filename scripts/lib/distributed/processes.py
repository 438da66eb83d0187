"""The processes of one training run: which of them this is, and what they tell each other.

`lib.distributed.launcher` starts them. In a run of one process nothing here communicates.
"""

import os
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from torch import distributed

Value = TypeVar("Value")

LONGEST_WAIT = timedelta(hours=2)  # for a process that saves, or computes checksums of, a large model


def number_of_processes() -> int:
    """How many processes train together, on all nodes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """This process's number among those of its node, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def is_first() -> bool:
    """Whether this process is the one that prints, writes and publishes."""
    return rank() == 0


def join(device: torch.device) -> None:
    """Meet the other processes of the run, which train on devices of the same kind."""
    if number_of_processes() > 1 and not distributed.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=LONGEST_WAIT)


def leave() -> None:
    """Part from the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def wait_for_all() -> None:
    """Go on when all processes have come here."""
    highest(0)


def highest(value: int) -> int:
    """The highest of the processes' values."""
    if number_of_processes() == 1:
        return value
    values = torch.tensor([value])
    distributed.all_reduce(values, distributed.ReduceOp.MAX)
    return int(values.item())


def summed(values: np.ndarray) -> np.ndarray:
    """The sum of the processes' arrays."""
    if number_of_processes() == 1:
        return values
    total = torch.from_numpy(values.copy())
    distributed.all_reduce(total)
    return total.numpy()


def of_all(value: Value) -> list[Value]:
    """Every process's value, by rank."""
    if number_of_processes() == 1:
        return [value]
    values: list[Value] = [value] * number_of_processes()
    distributed.all_gather_object(values, value)
    return values


def of_first(value: Value) -> Value:
    """The first process's value."""
    return of_all(value)[0]
