"""Fetch the base model and write it as a Hugging Face directory: safetensors, tokenizer, chat template.

    python scripts/base_model.py --settings '{"uri": "path/to/model", "dtype": "float32"}' \
        --downloads work/downloads --output results/base_model/manifest.json

Takes a directory with safetensors or a single GGUF file. Runs no code from the model's folder and reads no pickle.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.addresses import MODEL_FILES, fetched, files_in
from lib.errors import UserError, run
from lib.manifest import write_manifest
from lib.outputs import new_directory
from lib.settings.base import from_json
from lib.settings.base_model import BaseModelSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class BaseModel:
    """A loaded base model and where its parts came from."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    license: str | None
    files: dict[str, Path]
    """What was read, by name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(BaseModelSettings, args.settings)

    say(f"fetching {settings.uri}")
    with fetched(settings.uri, args.downloads, settings.sha256, report=lambda line: say(f"fetching: {line}")) as path:
        base = load(path, settings.dtype)
        check(base.model, base.tokenizer)
        with new_directory(args.output.parent) as directory:
            write(base, settings, directory)


def say(line: str) -> None:
    print(f"base_model: {line}", flush=True)


def load(path: Path, dtype: str) -> BaseModel:
    """The model in the directory or GGUF file at `path`, its weights in `dtype`."""
    # Seconds of imports: not before everything is fetched.
    import torch

    from lib.gguf import is_gguf, load_gguf
    from lib.models import quiet_libraries

    quiet_libraries()
    torch_dtype: torch.dtype = getattr(torch, dtype)
    if path.is_dir():
        say(f"reading the model directory {path.name}")
        return load_directory(path, torch_dtype)
    if not is_gguf(path):
        raise UserError(f"{path}: a base model is a directory with config.json and safetensors, or a GGUF file")
    say(f"converting {path.name} ({path.stat().st_size / 1e6:.1f} MB) to {dtype}")
    found = load_gguf(path, torch_dtype)
    for warning in found.warnings:
        say(f"warning: {warning}")
    return BaseModel(found.model, found.tokenizer, found.license, {path.name: path})


def load_directory(directory: Path, dtype: Any) -> BaseModel:
    """A model directory's weights and tokenizer; UserError, with the file's name, for anything that is not right."""
    from transformers import AutoModelForCausalLM, GenerationConfig

    from lib.models import load_tokenizer

    check_directory(directory)
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            directory, dtype=dtype, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # whatever transformers makes of a directory that it does not understand
        raise UserError(f"{directory}: transformers cannot load this model: {_one_line(error)}") from None
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise UserError(f"{directory}: the weights lack {len(missing)} tensors of the model, {missing[0]} among them")
    try:
        tokenizer = load_tokenizer(directory)
    except Exception as error:
        raise UserError(f"{directory}: transformers cannot load the tokenizer: {_one_line(error)}") from None
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(f"{directory}: the tokenizer has no tokenizer.json; only such tokenizers can be used")
    if not (directory / "generation_config.json").is_file():
        model.generation_config = GenerationConfig()
    files = {path.relative_to(directory).as_posix(): path for path in files_in(directory, MODEL_FILES)}
    return BaseModel(model, tokenizer, read_license(directory / "README.md"), files)


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
    for file in weight_files(directory):
        check_safetensors(file)


def weight_files(directory: Path) -> list[Path]:
    """The safetensors that make up the model in `directory`."""
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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names: Sequence[str] = list(file.keys())
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path}: the weights are cut off or damaged ({path.stat().st_size:,} bytes: {_one_line(error)}); "
            "get the file again"
        ) from None
    if not names:
        raise UserError(f"{path}: holds no weights")


def check(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> None:
    """Raise UserError unless embedding, head, configuration and tokenizer fit together and the weights are finite.

    More rows than tokens is padding, and fine; fewer would fail on the first rare token.
    """
    import torch

    from lib.models import check_sizes

    if not hasattr(model.config, "vocab_size") or model.get_output_embeddings() is None:
        raise UserError(f"{type(model).__name__} is not a plain language model; choose one for text alone")
    check_sizes(model, tokenizer)
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise UserError(
                f"the weights of {name} are not finite in {str(weight.dtype).removeprefix('torch.')}; "
                "set base_model.dtype to float32, or get the model again"
            )


def write(base: BaseModel, settings: BaseModelSettings, directory: Path) -> None:
    """The complete Hugging Face directory with its manifest, and a line that sums it up."""
    model, tokenizer = base.model, base.tokenizer
    complete_generation_config(model, tokenizer)
    try:
        model.save_pretrained(directory)
    except ValueError as error:
        raise UserError(f"{settings.uri}: transformers cannot save this model: {_one_line(error)}") from None
    tokenizer.save_pretrained(directory)
    size = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    counts = {
        "parameters": model.num_parameters(),
        "layers": model.config.num_hidden_layers,
        "vocabulary": len(tokenizer),
        "embedding_rows": model.config.vocab_size,
        "bytes": size,
    }
    write_manifest(
        directory,
        inputs=base.files,
        counts=counts,
        settings=settings,
        packages=["torch", "transformers", "tokenizers", "gguf"],
        facts={
            "uri": settings.uri,
            "architecture": type(model).__name__,
            "license": base.license,
            "chat_template": bool(tokenizer.chat_template),
        },
    )
    template = "with" if tokenizer.chat_template else "without"
    say(
        f"{counts['parameters'] / 1e6:.1f} M parameters, {counts['layers']} layers, vocabulary {len(tokenizer):,}, "
        f"{template} a chat template, {size / 1e6:,.0f} MB in {settings.dtype}"
    )


def complete_generation_config(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> None:
    """Fill in ids of the begin, end and padding tokens where the model gives none: from its config, its tokenizer."""
    generation = model.generation_config
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        for source in (model.config, tokenizer):
            if getattr(generation, key) is None:
                setattr(generation, key, getattr(source, key, None))
    if generation.pad_token_id is None:
        end = generation.eos_token_id
        generation.pad_token_id = end[0] if isinstance(end, list) else end
    try:
        generation.validate(strict=True)
    except ValueError:
        # Published models often give a temperature and leave sampling off; transformers reads that, but won't write it.
        generation.do_sample = True


def read_object(path: Path, hint: str = "") -> dict[str, Any]:
    """The JSON object in a file of the user's; UserError when it is missing or something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist" + (f"; {hint}" if hint else "")) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not valid JSON: {_one_line(error)}") from None
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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


if __name__ == "__main__":
    run(main)
