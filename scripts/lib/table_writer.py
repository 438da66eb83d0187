"""A Parquet table that grows row by row and holds few of them in memory."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 10_000


class TableWriter:
    """Writes rows to `path`; complete when the `with` block ends. Text becomes valid UTF-8."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._schema = schema
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row; columns that it lacks are null."""
        self._rows.append(
            {key: _valid(value) if isinstance(value, str) else value for key, value in row.items()},
        )
        if len(self._rows) >= ROWS:
            self._flush()

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


def _valid(text: str) -> str:
    """`text` without lone surrogates, which stand in names of files that are not UTF-8."""
    return text.encode("utf-8", "replace").decode()
