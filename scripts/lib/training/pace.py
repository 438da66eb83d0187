"""How many optimizer steps fit into a time, told from the first ones."""

import time
from statistics import median

import datasets
import torch

from lib.models.compute import Precision, arithmetic
from lib.settings.training import TrainingSettings
from lib.training.collation import collate

MEASURED = 3
"""Batches that are timed; one before them is not, since the first is slower."""


def steps_in(
    minutes: float, model: torch.nn.Module, rows: datasets.Dataset, settings: TrainingSettings, precision: Precision
) -> int:
    """Steps of training alone that take `minutes`, by forward and backward passes over the first of the `rows`.

    No weight is changed.
    """
    model.train()
    device = next(model.parameters()).device
    seconds = []
    for number in range(1 + MEASURED):
        first = number * settings.batch_size
        batch = [rows[(first + place) % len(rows)] for place in range(settings.batch_size)]
        inputs = {name: values.to(device) for name, values in collate(batch).items()}
        started = time.perf_counter()
        with arithmetic(precision, device):
            loss = model(**inputs).loss
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
        model.zero_grad(set_to_none=True)
    return max(1, int(60 * minutes / (median(seconds[1:]) * settings.gradient_accumulation)))
