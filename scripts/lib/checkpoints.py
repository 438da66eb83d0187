"""Where a training run keeps its checkpoints, and which one it goes on from.

Snakemake deletes a rule's outputs before every attempt, so checkpoints live in a work directory that it does not
know. The directory's name is a fingerprint of everything that shapes the run: a changed setting or changed data starts
afresh.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NEEDED_FILES = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def work_directory(root: Path, identity: Mapping[str, Any]) -> Path:
    """The directory below `root` for the run that `identity` (settings, hashes of inputs, seed) describes."""
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return root / hashlib.sha256(text.encode()).hexdigest()[:16]


def latest_checkpoint(work: Path) -> Path | None:
    """The newest whole checkpoint in `work`. Damaged ones, from a run killed while it saved, are removed and named."""
    numbered = {int(path.name.rpartition("-")[2]): path for path in work.glob("checkpoint-*") if path.is_dir()}
    for _, checkpoint in sorted(numbered.items(), reverse=True):
        if _is_whole(checkpoint):
            return checkpoint
        print(f"checkpoint {checkpoint} is damaged; it is removed and the one before it is used", flush=True)
        shutil.rmtree(checkpoint)
    return None


def _is_whole(checkpoint: Path) -> bool:
    if not all((checkpoint / name).is_file() for name in NEEDED_FILES):
        return False
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
