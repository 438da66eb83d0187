"""Where local addresses of the settings lie.

They count from the project's folder, where the command is given. A named run works in a folder of its own below it;
there, the environment says how to get back. So addresses stay as the user wrote them, in every run alike.
"""

import os
from pathlib import Path

ROOT = "GRAFTLINE_ROOT"
"""In the environment of a named run: the project's folder, seen from the run's."""
ALONE = "GRAFTLINE_ALONE"
"""In the environment of Snakemake: this run takes nothing over from other runs."""
PARENT = "GRAFTLINE_PARENT"
"""In the environment of a job: Snakemake's process, and the machine that it runs on, as `4711@node`."""


def local_path(address: str) -> Path:
    """Where the file or folder lies that the settings or a sheet name by a local address."""
    return Path(os.environ.get(ROOT, "")) / address


def as_written(text: str) -> str:
    """A message with its local addresses as the settings have them."""
    root = os.environ.get(ROOT)
    return text.replace(f"{root}/", "") if root else text
