"""Token sequences on disk as Arrow streams: written row by row, read memory-mapped."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lib.core.integrity import require_intact

if TYPE_CHECKING:
    import datasets

IGNORED_LABEL = -100
"""Label of a position that the loss leaves out (the convention of PyTorch and transformers)."""
ROWS_IN_MEMORY = 1_000


class TokenWriter:
    """Writes rows of token id lists, one list per column; columns of `texts` hold a text each."""

    def __init__(self, path: Path, columns: Sequence[str], texts: Sequence[str] = ()) -> None:
        self.rows = 0
        self.tokens = 0
        self._schema = pa.schema(
            [*((column, pa.list_(pa.int32())) for column in columns), *((column, pa.string()) for column in texts)]
        )
        self._waiting: list[dict[str, Sequence[int] | str]] = []
        self._file = pa.OSFile(str(path), "wb")
        self._stream = pa.ipc.new_stream(self._file, self._schema)

    def add(self, **row: Sequence[int] | str) -> None:
        """Append one row; the first column's length counts towards `tokens`."""
        self.rows += 1
        self.tokens += len(row[self._schema.names[0]])
        self._waiting.append(row)
        if len(self._waiting) == ROWS_IN_MEMORY:
            self._flush()

    def add_blocks(self, blocks: npt.NDArray[np.int32], **texts: str) -> None:
        """Append the rows of an array [rows, tokens] to the one column of tokens; `texts` are the same for all."""
        self._flush()
        self.rows += len(blocks)
        self.tokens += blocks.size
        starts = pa.array(np.arange(len(blocks) + 1, dtype=np.int32) * blocks.shape[1])
        ids = pa.ListArray.from_arrays(starts, pa.array(blocks.ravel()))
        columns = [ids, *(pa.repeat(pa.scalar(text), len(blocks)) for text in texts.values())]
        self._stream.write_batch(pa.record_batch(columns, names=["input_ids", *texts]))

    def _flush(self) -> None:
        self._stream.write_batch(pa.RecordBatch.from_pylist(self._waiting, schema=self._schema))
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._stream.close()
        self._file.close()


def read_tokens(path: Path) -> "datasets.Dataset":
    """The memory-mapped rows of a file that a TokenWriter made."""
    import datasets  # takes a second, which writing does not need

    return datasets.Dataset.from_file(str(require_intact(path)))
