"""Snakemake's records: which outputs a run has finished."""

from base64 import urlsafe_b64decode
from pathlib import Path


def recorded_outputs(folder: Path) -> dict[str, Path]:
    """Outputs of the run in `folder` that Snakemake has a record of, and the files of these records.

    A record's file name is the output's path in Base64; a long one is cut into folders that begin with @.
    """
    records = folder / ".snakemake" / "metadata"
    found = {}
    for path in records.rglob("*"):
        if path.is_file():
            encoded = "".join(part.removeprefix("@") for part in path.relative_to(records).parts)
            found[urlsafe_b64decode(encoded).decode()] = path
    return found
