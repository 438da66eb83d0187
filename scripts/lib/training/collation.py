"""Rows of tokens as batches for the model, and how much of a batch teaches it nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from lib.tokens.token_files import IGNORED_LABEL


class OrderedRows(torch.utils.data.Dataset[dict[str, Any]]):
    """The rows of a data set in a given order; `row` in each is its number in the data set."""

    def __init__(self, data: datasets.Dataset, order: np.ndarray) -> None:
        self.data = data
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, position: int) -> dict[str, Any]:
        row = int(self.order[position])
        return {**self.data[row], "row": row}


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Rows as one batch: `input_ids` and `labels`, padded on the right to (rows, longest).

    Labels are the input where a row has none. `position_ids` are there when a row has them, `row` (the rows' numbers)
    when all have it. No attention mask is needed: what stands before padding does not see it, and padding has no
    labels. It is told apart by position, never by token id: a pad token may be the end token, which must be learned.
    """
    longest = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full_like(input_ids, IGNORED_LABEL)
    for number, row in enumerate(rows):
        length = len(row["input_ids"])
        input_ids[number, :length] = torch.tensor(row["input_ids"])
        labels[number, :length] = torch.tensor(row.get("labels", row["input_ids"]))
    batch = {"input_ids": input_ids, "labels": labels}
    if any("position_ids" in row for row in rows):
        batch["position_ids"] = torch.tensor([_positions(row, longest) for row in rows])
        # What begins an example is not to be predicted from the one before.
        labels[batch["position_ids"] == 0] = IGNORED_LABEL
    if all("row" in row for row in rows):
        batch["row"] = torch.tensor([row["row"] for row in rows])
    return batch


def _positions(row: Mapping[str, Any], longest: int) -> list[int]:
    """Positions of a row's tokens; padding begins at 0 again, as an example of its own."""
    length = len(row["input_ids"])
    return [*row.get("position_ids", range(length)), *range(longest - length)]


@dataclass(frozen=True)
class RowSizes:
    """For every row of a data set: how many tokens it has, how many of them are predicted, its last position."""

    tokens: np.ndarray
    labels: np.ndarray
    longest_example: int

    @classmethod
    def of(cls, data: datasets.Dataset) -> "RowSizes":
        """Measured on the data set's Arrow tables, a chunk at a time."""
        tokens = [np.empty(0, np.int64)]
        labels = [np.empty(0, np.int64)]
        longest = 0
        for table in data.with_format("arrow").iter(batch_size=1000):
            tokens.append(pc.list_value_length(table["input_ids"]).to_numpy().astype(np.int64))
            labels.append(_labels(table))
            positions = table["position_ids"] if "position_ids" in table.column_names else None
            last = tokens[-1].max() if positions is None else pc.max(pc.list_flatten(positions)).as_py() + 1
            longest = max(longest, int(last))
        return cls(np.concatenate(tokens), np.concatenate(labels), longest)

    def shares(self, order: np.ndarray, batch_size: int) -> dict[str, float]:
        """Share of padding among a run's positions, and share of its tokens that no loss is computed for."""
        tokens = self.tokens[order]
        padded = np.pad(tokens, (0, -len(tokens) % batch_size)).reshape(-1, batch_size)
        rows = np.count_nonzero(padded, axis=1)
        positions = int((padded.max(axis=1) * rows).sum())
        return {
            "padding_share": round(1 - int(tokens.sum()) / positions, 4),
            "masked_share": round(1 - int(self.labels[order].sum()) / int(tokens.sum()), 4),
        }


def _labels(table: pa.Table) -> np.ndarray:
    """Number of labels in each row of `table` that are predicted: the first position has nothing before it."""
    column = table["labels"] if "labels" in table.column_names else table["input_ids"]
    counts = []
    for chunk in column.chunks:
        is_label = pc.not_equal(chunk.flatten(), IGNORED_LABEL).to_numpy(zero_copy_only=False)
        starts = np.concatenate([[0], np.cumsum(chunk.value_lengths().to_numpy())]).astype(np.int64)
        is_label[starts[:-1]] = False
        counts.append(np.add.reduceat(is_label.astype(np.int64), starts[:-1]))
    return np.concatenate(counts)
