"""Documents as tokens in shards: written shard by shard in parallel, read as one sequence in reading order.

Documents are dealt to shards by their numbers, so putting them back in order of their numbers gives the same sequence
for any number of shards. Files are mapped into memory; what is held is some 30 bytes for each document.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lib.core.errors import UserError

TokenIds = npt.NDArray[np.int32]
SCHEMA = pa.schema([("number", pa.int64()), ("input_ids", pa.list_(pa.int32()))])


class DocumentWriter:
    """Writes documents, each with its number in its source, as an Arrow stream."""

    def __init__(self, path: Path) -> None:
        self._file = pa.OSFile(str(path), "wb")
        self._stream = pa.ipc.new_stream(self._file, SCHEMA)

    def write(self, numbers: Sequence[int], documents: Sequence[TokenIds]) -> None:
        """Append documents, which are held in memory once more while they are written."""
        ends = np.cumsum([0, *map(len, documents)], dtype=np.int32)
        ids = pa.ListArray.from_arrays(_array(ends), _array(np.concatenate([_NONE, *documents])))
        self._stream.write_batch(pa.record_batch([_array(np.array(numbers, np.int64)), ids], schema=SCHEMA))

    def __enter__(self) -> "DocumentWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._file.close()


def _array(values: npt.NDArray[np.int32 | np.int64]) -> pa.Array:
    """`values` as Arrow has them; `pa.array` would import pandas first, a third of the time of a small shard."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


@contextmanager
def _intact(path: Path) -> Iterator[None]:
    """Raise UserError when reading the file at `path` fails in the block."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}); delete it and run again") from None


class Documents:
    """The documents of all `paths` by their place in reading order; UserError for one that cannot be read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._values: list[TokenIds] = []
        self._starts: list[TokenIds] = []
        numbers: list[np.ndarray] = [np.zeros(0, np.int64)]
        lengths: list[np.ndarray] = [np.zeros(0, np.int64)]
        batches: list[np.ndarray] = [np.zeros(0, np.int32)]
        rows: list[np.ndarray] = [np.zeros(0, np.int32)]
        for path in paths:
            with _intact(path), pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    starts = batch.column("input_ids").offsets.to_numpy()
                    numbers.append(batch.column("number").to_numpy())
                    lengths.append(np.diff(starts).astype(np.int64))
                    batches.append(np.full(len(batch), len(self._values), np.int32))
                    rows.append(np.arange(len(batch), dtype=np.int32))
                    self._values.append(batch.column("input_ids").values.to_numpy())
                    self._starts.append(starts)
        order = np.argsort(np.concatenate(numbers), kind="stable")  # copies of a document stay side by side
        self.lengths = np.concatenate(lengths)[order]
        """Tokens in each document."""
        self._batches = np.concatenate(batches)[order]
        self._rows = np.concatenate(rows)[order]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, place: int) -> TokenIds:
        batch, row = self._batches[place], self._rows[place]
        start, end = self._starts[batch][row : row + 2]
        document: TokenIds = self._values[batch][start:end]
        return document

    def __iter__(self) -> Iterator[TokenIds]:
        return (self[place] for place in range(len(self)))


_NONE = np.zeros(0, np.int32)
