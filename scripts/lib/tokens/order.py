"""The order in which a training run sees its examples, decided before it starts.

The whole run's order is one list of row numbers, so that a resumed run goes on with exactly the examples that an
undisturbed run would have seen.
"""

import math
from pathlib import Path

import numpy as np

from lib.core.errors import UserError
from lib.core.integrity import require_intact

ORDER_FILE = "order.npy"
"""Row numbers of train.arrow in the order of the first pass, in a data directory that decides it."""
BATCHES_SORTED_TOGETHER = 16


def number_of_steps(examples: int, batch: int, epochs: float, max_steps: int | None) -> int:
    """Optimizer steps of a run: `max_steps`, or as many as `epochs` passes over the examples take."""
    return max_steps or max(1, math.ceil(epochs * examples / batch))


def planned_order(directory: Path, examples: int, needed: int, seed: int) -> np.ndarray:
    """`needed` row numbers for a run on the data in `directory`: the order kept there, else a shuffled one.

    Passes after the first are shuffled in either case.
    """
    order = shuffled(examples, needed, seed)
    if (directory / ORDER_FILE).is_file():
        first = np.load(require_intact(directory / ORDER_FILE), allow_pickle=False)
        if not np.array_equal(np.sort(first), np.arange(examples)):
            raise UserError(f"{directory / ORDER_FILE} is not an order of the {examples} rows beside it; make it again")
        order[:examples] = first[:needed]
    return order


def shuffled(examples: int, needed: int, seed: int) -> np.ndarray:
    """`needed` row numbers: pass after pass over all `examples` rows, each pass in an order of its own."""
    passes = math.ceil(needed / examples)
    orders = [np.random.default_rng([seed, number]).permutation(examples) for number in range(passes)]
    return np.concatenate(orders)[:needed]


def group_by_length(order: np.ndarray, lengths: np.ndarray, batch: int, seed: int) -> np.ndarray:
    """`order` rearranged within windows of a few batches, so that a batch holds rows of similar length.

    No row leaves its window, so training still sees the data in about the given order; batches of a window come in
    random order, lest short ones always come first.
    """
    window = batch * BATCHES_SORTED_TOGETHER
    random = np.random.default_rng([seed, window])
    grouped: list[np.ndarray] = []
    for start in range(0, len(order), window):
        rows = order[start : start + window]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches = [rows[i : i + batch] for i in range(0, len(rows), batch)]
        last = batches.pop() if len(batches[-1]) < batch else None
        grouped += [batches[i] for i in random.permutation(len(batches))]
        if last is not None:
            grouped.append(last)
    return np.concatenate(grouped)
