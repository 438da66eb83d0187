"""The models among a run's results."""

from pathlib import Path

from lib.core.errors import UserError

LAST_FIRST = ("sft_model", "pretrain_model")


def finished_model(directory: Path) -> Path:
    """The model of the last stage of a run whose results are in `directory`, or `directory` if it is a model itself.

    Raises UserError when there is none.
    """
    candidates = [*(directory / name for name in LAST_FIRST), directory]
    found = next((path for path in candidates if (path / "config.json").is_file()), None)
    if not found:
        raise UserError(f"{directory} holds no model yet; `make run` makes it, or name another with --model")
    return found
