"""How much there is to do in a run, as far as its results tell: what the times of two runs are scaled by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.core.outputs import read_json
from lib.settings.pipeline import PipelineSettings
from lib.tokens.order import number_of_steps

TRAINING = ("pretrain", "sft")
"""Rules whose time goes by the tokens that are trained on; their sections of the settings are called the same."""
BY_PARAMETERS = ("base_model", "extended_model", "pretrain_model", "sft_model", "evaluate", "lm_eval_tasks")
"""Rules whose time goes by the size of the model; that of all others goes by the characters of the corpus."""


@dataclass(frozen=True)
class Sizes:
    """Amounts of work; None for what is not known yet."""

    parameters: float | None
    characters: float | None
    tokens: Mapping[str, float | None]
    """What each stage trains on, all steps together, by its rule."""

    def of(self, rule: str) -> float | None:
        """What the time of a rule goes by."""
        if rule in TRAINING:
            tokens = self.tokens[rule]
            return None if tokens is None or self.parameters is None else tokens * self.parameters
        return self.parameters if rule in BY_PARAMETERS else self.characters


def sizes_before(results: Path) -> Sizes:
    """Those that the benchmarks of a run go with: by the manifests of what it has made."""
    tokens: dict[str, float | None] = {}
    for stage in TRAINING:
        made = _manifest(results / f"{stage}_lora")
        processes = made["facts"].get("processes") if made else None
        tokens[stage] = _tokens(stage, made["settings"], results, processes, made["counts"]["steps"]) if made else None
    return Sizes(_parameters(results), _characters(results), tokens)


def sizes_now(results: Path, settings: PipelineSettings) -> Sizes:
    """Those of the run that these settings describe, as far as it is."""
    processes = settings.processes_per_node * settings.nodes
    tokens = {stage: _tokens(stage, getattr(settings, stage).model_dump(), results, processes) for stage in TRAINING}
    return Sizes(_parameters(results), _characters(results), tokens)


def _tokens(
    stage: str, settings: Mapping[str, Any], results: Path, processes: int | None, steps: int | None = None
) -> float | None:
    """Tokens of as many steps, or of those that the settings ask for; None while the data that tell are not there."""
    counts = _manifest(results / f"{stage}_data").get("counts", {})
    rows = counts.get("train_blocks" if stage == "pretrain" else "train")
    sequences = settings["batch_size"] * settings["gradient_accumulation"] * (processes or 0)
    steps = steps or (None if settings["minutes"] else settings["max_steps"])
    if steps is None and rows and sequences and not settings["minutes"]:
        steps = number_of_steps(rows, sequences, settings["epochs"], None)
    length = settings["block_size"] if stage == "pretrain" else counts["train_tokens"] / rows if rows else None
    return float(steps * sequences * length) if steps and sequences and length else None


def _parameters(results: Path) -> float | None:
    manifest = _manifest(results / "base_model")
    return manifest["counts"]["parameters"] if manifest else None


def _characters(results: Path) -> float | None:
    """Of the documents that were read, all sources together."""
    counts = [_read(path) for path in (results / "corpus" / "raw").glob("*.json")]
    return sum(count["characters"] for count in counts if count) or None


def _manifest(folder: Path) -> dict[str, Any]:
    return _read(folder / "manifest.json")


def _read(path: Path) -> dict[str, Any]:
    """The JSON file at `path`; nothing where it is not there, or no longer."""
    try:
        return dict(read_json(path)) if path.is_file() else {}
    except (UserError, OSError):
        return {}
