"""Where a training run keeps its checkpoints, and which one it goes on from.

Snakemake deletes a rule's outputs before every attempt, so checkpoints live in a work directory that it does not
know. The directory's name is a fingerprint of everything that shapes the run: a changed setting or changed data starts
afresh. The last file of a checkpoint to be written is a list of the others with their checksums, so that one which a
killed process or a full disk left behind is never mistaken for a whole one.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerState

from lib.core.errors import UserError
from lib.core.outputs import read_json, sha256_file, write_json

SEAL = "checksums.json"
STATE = "trainer_state.json"


def work_directory(root: Path, identity: Mapping[str, Any]) -> Path:
    """The directory below `root` for the run that `identity` (settings, hashes of inputs, seed) describes."""
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return root / hashlib.sha256(text.encode()).hexdigest()[:16]


def seal(checkpoint: Path) -> None:
    """Mark a checkpoint as whole: nothing in it is to change any more."""
    names = sorted(path.name for path in checkpoint.iterdir())
    write_json(checkpoint / SEAL, {name: sha256_file(checkpoint / name) for name in names})


def is_whole(checkpoint: Path) -> bool:
    """Whether all files of a checkpoint are as they were when it was sealed."""
    try:
        checksums = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        return all(sha256_file(checkpoint / name) == checksum for name, checksum in checksums.items())
    except (OSError, ValueError):
        return False


def latest_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint in `work` that a run can go on from: whole, as is the best one that it knows of.

    Newer ones are removed, and named.
    """
    for checkpoint in reversed(_by_step(work)):
        damaged = next(
            (path for path in (checkpoint, best_checkpoint(checkpoint)) if path and not is_whole(path)), None
        )
        if damaged is None:
            return checkpoint
        print(f"checkpoint {damaged} is damaged; {checkpoint} is removed and the one before it is used", flush=True)
        shutil.rmtree(checkpoint)
    return None


def best_checkpoint(checkpoint: Path) -> Path | None:
    """The checkpoint with the lowest validation loss so far, as `checkpoint` remembers it."""
    try:
        best = read_json(checkpoint / STATE)["best_model_checkpoint"]
    except (UserError, UnicodeDecodeError):  # damaged
        return None
    return checkpoint.with_name(Path(best).name) if best else None


def read_state(checkpoint: Path) -> TrainerState:
    """What the trainer knew when it saved: step, best loss, everything logged."""
    return TrainerState.load_from_json(str(checkpoint / STATE))


def remove_old(work: Path, limit: int) -> None:
    """Remove the oldest checkpoints until `limit` are left; the newest and the best stay."""
    checkpoints = _by_step(work)
    kept = {checkpoints[-1], best_checkpoint(checkpoints[-1])}
    removable = [checkpoint for checkpoint in checkpoints if checkpoint not in kept]
    for checkpoint in removable[: max(0, len(checkpoints) - limit)]:
        shutil.rmtree(checkpoint)


def _by_step(work: Path) -> list[Path]:
    found = (path for path in work.glob("checkpoint-*") if path.is_dir())
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))
