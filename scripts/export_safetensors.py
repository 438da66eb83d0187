r"""The finished model as safetensors in one number format, in one file or in shards, read back before it is kept.

Usage:
    python scripts/export_safetensors.py --dtype bf16 --shard-bytes 5000000000 --model results/sft_model \
        --output results/export/safetensors-bf16/manifest.json
"""

import shutil
from pathlib import Path

import torch
from safetensors import safe_open

from lib.base_model.weight_files import read_weights, write_weights
from lib.core.errors import UserError
from lib.core.integrity import described_directory, require_intact
from lib.core.manifest import NAME, write_manifest
from lib.core.outputs import read_json, write_json
from lib.core.program import program_parser, run, say
from lib.models.loading import WEIGHTS_AND_CONFIGS, quiet_libraries
from lib.models.publishing import check_tokenizer
from lib.models.tokenizer_files import copy_tokenizer

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
OTHER_FILES = ("generation_config.json", "README.md")


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--dtype", choices=DTYPES, required=True)
    parser.add_argument("--shard-bytes", type=int, required=True, help="maximum size of a file")
    parser.add_argument("--model", type=Path, required=True, help="directory of the model, or the manifest in it")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    quiet_libraries()

    model: Path = require_intact(args.model if args.model.is_dir() else args.model.parent, *WEIGHTS_AND_CONFIGS)
    dtype = DTYPES[args.dtype]
    with described_directory(args.output.parent) as directory:
        write_weights(read_weights(weight_files(model)), directory, dtype, args.shard_bytes)
        name = str(dtype).removeprefix("torch.")
        write_json(directory / "config.json", read_json(model / "config.json") | {"dtype": name, "torch_dtype": name})
        copy_tokenizer(model, directory)
        for file in OTHER_FILES:
            if (model / file).is_file():
                shutil.copyfile(model / file, directory / file)
        check_tokenizer(directory)
        tensors = check_weights(model, directory, dtype)
        shards = len(weight_files(directory))
        write_manifest(
            directory,
            inputs={"model": model / NAME},
            counts={"tensors": tensors, "files": shards},
            packages=["safetensors", "torch"],
        )
    say(f"export: {args.output.parent}: {tensors:,} tensors in {args.dtype}, {shards} file(s)")


def weight_files(directory: Path) -> list[Path]:
    """Files with weights, in the order of their names."""
    return sorted(directory.glob("*.safetensors"))


def check_weights(model: Path, written: Path, dtype: torch.dtype) -> int:
    """Number of tensors; UserError unless those in `written` are those of `model`, as `dtype`."""
    places = {}
    for path in weight_files(written):
        with safe_open(path, framework="pt") as file:
            places.update(dict.fromkeys(file.keys(), path))
    number = 0
    for name, before in read_weights(weight_files(model)):
        with safe_open(places[name], framework="pt") as file:
            if not torch.equal(before.to(dtype), file.get_tensor(name)):
                raise UserError(f"{places[name]}: {name} is not what was written; is the disk sound?")
        number += 1
    return number


if __name__ == "__main__":
    run(main)
