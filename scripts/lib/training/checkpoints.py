"""Where a training run keeps its checkpoints, and which one it goes on from.

Snakemake deletes a rule's outputs before every attempt, so checkpoints live in a work directory that it does not
know. The directory's name is a fingerprint of what shapes the weights of a step, and of what their validation loss is
measured on; the values themselves are kept in it. When one of them is changed, a run starts afresh, and says which. The
last file of a checkpoint to be written is a list of the others with their checksums, so that one which a killed process
or a full disk left behind is never mistaken for a whole one. Which checkpoint is the best is decided while training
(`callbacks.KeepBest`, and `metric_for_best_model` in `run`); here it is read back.

transformers' get_last_checkpoint takes the newest folder, damaged or not: of a run whose newest weights are cut off,
the one that cannot be read, where this takes the one before.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerState

from lib.core.errors import UserError
from lib.core.outputs import new_file, read_json, sha256_file, write_json
from lib.core.program import say

SEAL = "checksums.json"
STATE = "trainer_state.json"
IDENTITY = "run.json"
READ_FILES = ("*.safetensors", "*.arrow", "*.npy")
READ_CONFIGS = ("config.json", "adapter_config.json")
VERSIONS = ("transformers_version", "peft_version")  # in a configuration: which library wrote it
INPUTS = {"model": "another model", "adapter": "another adapter", "data": "other data"}


def work_directory(root: Path, identity: Mapping[str, Any]) -> Path:
    """The directory below `root` for the run that `identity` (settings, digests of inputs, seed) describes."""
    return root / _digest(identity)


def content_digest(manifest: Path) -> str:
    """Digest of what training reads in the directory that `manifest` describes.

    Other files there (tokenizers, reports) and the versions of libraries have no part in it.
    """
    described = read_json(manifest)
    files = {
        name: file["sha256"]
        for name, file in described["files"].items()
        if any(fnmatch(name, pattern) for pattern in READ_FILES)
    }
    configs = {
        name: {key: value for key, value in read_json(manifest.with_name(name)).items() if key not in VERSIONS}
        for name in READ_CONFIGS
        if name in described["files"]
    }
    return _digest({"files": files, "configs": configs, "new_tokens": described["facts"].get("new_token_ids")})


def _digest(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def begin(work: Path, identity: Mapping[str, Any]) -> None:
    """Make the directory of a run, with what shapes it, which `difference` reads."""
    work.mkdir(parents=True, exist_ok=True)
    with new_file(work / IDENTITY) as partial:
        write_json(partial, identity)


def difference(work: Path, identity: Mapping[str, Any]) -> str | None:
    """Where the newest checkpoint of another run beside `work` is, and how that run differs; None if there is none."""
    others = [path for path in work.parent.glob("*/checkpoint-*") if path.parent != work and (path / SEAL).is_file()]
    if not others:
        return None
    newest = max(others, key=lambda path: (path / SEAL).stat().st_mtime)
    where = f"checkpoints up to step {_step(newest)} in {newest.parent}"
    try:
        other = read_json(newest.parent / IDENTITY)
    except UserError:
        return f"{where} do not say what they were made with"
    changed = [name for name in other | dict(identity) if other.get(name) != identity.get(name)]
    return f"{where} were made with " + ", ".join(
        INPUTS.get(name) or f"{name} {json.dumps(other.get(name))} (now {json.dumps(identity.get(name))})"
        for name in changed
    )


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
            (path for path in (checkpoint, checkpoint_with_lowest_loss(checkpoint)) if path and not is_whole(path)),
            None,
        )
        if damaged is None:
            return checkpoint
        say(f"checkpoint {damaged} is damaged; {checkpoint} is removed and the one before it is used")
        shutil.rmtree(checkpoint)
    return None


def checkpoint_with_lowest_loss(checkpoint: Path) -> Path | None:
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
    kept = {checkpoints[-1], checkpoint_with_lowest_loss(checkpoints[-1])}
    removable = [checkpoint for checkpoint in checkpoints if checkpoint not in kept]
    for checkpoint in removable[: max(0, len(checkpoints) - limit)]:
        shutil.rmtree(checkpoint)


def _by_step(work: Path) -> list[Path]:
    found = (path for path in work.glob("checkpoint-*") if path.is_dir())
    return sorted(found, key=_step)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
