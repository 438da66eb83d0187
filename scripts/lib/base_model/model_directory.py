"""A Hugging Face model directory of the user's: what must hold before anything in it is read."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lib.base_model.families import check_model_type
from lib.base_model.weight_files import WEIGHTS, WEIGHTS_INDEX
from lib.core.errors import UserError, about


def check_directory(directory: Path) -> None:
    """Raise UserError unless `directory` holds a model in complete safetensors that needs no code of its own."""
    config = read_object(directory / "config.json", "a model directory holds one")
    tokenizer_config = directory / "tokenizer_config.json"
    for name, values in (
        ("config.json", config),
        ("tokenizer_config.json", read_object(tokenizer_config) if tokenizer_config.is_file() else {}),
    ):
        if values.get("auto_map"):
            raise UserError(
                f"{directory / name}: this model runs code from its own folder (auto_map), which is not done here; "
                "choose a model that transformers knows by itself"
            )
    if quantization := config.get("quantization_config"):
        method = quantization.get("quant_method", "?") if isinstance(quantization, dict) else "?"
        raise UserError(f"{directory}: the weights are quantized ({method}); give the model they were made from")
    with about(str(directory / "config.json")):
        check_model_type(config.get("model_type"))
    for file in weight_files(directory):
        check_safetensors(file)


def weight_files(directory: Path) -> list[Path]:
    """The safetensors that make up the model in `directory`; UserError when they are missing or not safetensors."""
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    index = directory / WEIGHTS_INDEX
    if index.is_file():
        weight_map = read_object(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise UserError(f"{index}: no weight_map; get the file again")
        names = sorted(set(weight_map.values()))
        if missing := [name for name in names if Path(name).name != name or not (directory / name).is_file()]:
            raise UserError(f"{index} names {missing[0]}, which is not there ({len(missing)} of {len(names)} missing)")
        return [directory / name for name in names]
    others = sorted(path.name for path in directory.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".gguf"))
    hint = f"; it holds {others[0]}" if others else ""
    if others and others[0].endswith(".gguf"):
        hint += ": give the address of that file"
    elif others:
        hint += ", a pickle, which can run code and is never read: convert it to safetensors"
    raise UserError(f"{directory}: no {WEIGHTS} and no {WEIGHTS_INDEX}{hint}")


def check_safetensors(path: Path) -> None:
    """Raise UserError unless the header is sound and every tensor lies within the file."""
    try:
        with safe_open(path, framework="pt") as file:
            names: Sequence[str] = list(file.keys())
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: the weights are cut off or damaged ({path.stat().st_size:,} bytes: {reason}); get the file again"
        ) from None
    if not names:
        raise UserError(f"{path}: holds no weights")


def read_object(path: Path, hint: str = "") -> dict[str, Any]:
    """The JSON object in a file of the user's; UserError when it is missing or something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist" + (f"; {hint}" if hint else "")) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not valid JSON: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object")
    return value


def read_license(readme: Path) -> str | None:
    """The licence that a model card names in the lines between its leading `---` marks."""
    if not readme.is_file():
        return None
    head = re.match(r"---\n(.*?)\n---", readme.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    found = re.search(r"^license:[ \t]*(\S.*?)[ \t]*$", head[1], re.MULTILINE) if head else None
    return found[1].strip("\"'") if found else None
