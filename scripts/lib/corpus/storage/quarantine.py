"""Records that cannot be read, kept aside with their place and the reason."""

from pathlib import Path

import pyarrow as pa

from lib.corpus.storage.batches import TableWriter
from lib.files.text_files import Broken

SCHEMA = pa.schema([(name, pa.string()) for name in ("file", "position", "reason", "text")])


class Quarantine(TableWriter):
    """Writes broken records to a Parquet file; complete when the `with` block ends."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA)
        self.records = 0
        self.first = ""
        """Place and reason of the first one, for a message."""

    def put(self, file: str, broken: Broken) -> None:
        """Append a record of `file`."""
        self.records += 1
        self.first = self.first or f"{file}, {broken.position}: {broken.reason}"
        self.add({"file": file, "position": broken.position, "reason": broken.reason, "text": broken.text})
