r"""A stage's adapter alone, with its tokenizer and a page that says what it goes on, attached once before it is kept.

Usage:
    python scripts/export_adapter.py --adapter results/sft_lora/manifest.json \
        --model results/pretrain_model/manifest.json --base-model results/base_model/manifest.json \
        --output results/export/adapter-sft/manifest.json
"""

import shutil
from pathlib import Path

from lib.core.errors import UserError
from lib.core.integrity import described_directory, require_intact
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json
from lib.core.page_templates import render
from lib.core.program import program_parser, run, say
from lib.models.loading import check_sizes, load_tokenizer, quiet_libraries
from lib.models.tokenizer_files import copy_tokenizer
from lib.training.adapters import ADAPTER_CONFIG, ADAPTER_FILES, trained_model

WEIGHTS = ".safetensors"


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="manifest of the model that the adapter goes on")
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    quiet_libraries()

    if not (args.adapter.parent / ADAPTER_CONFIG).is_file():
        raise UserError(f"{args.adapter.parent} holds no adapter: the stage trained all weights; export safetensors")
    base = read_json(args.base_model)["facts"]
    with described_directory(args.output.parent) as directory:
        require_intact(args.adapter.parent, *ADAPTER_FILES)
        for file in ADAPTER_FILES:
            shutil.copyfile(args.adapter.parent / file, directory / file)
        copy_tokenizer(args.adapter.parent, directory)
        page = render(
            "adapter.md.jinja",
            base=base["uri"],
            license=base.get("license"),
            model=args.model.parent.name,
            weights={name: file for name, file in read_json(args.model)["files"].items() if name.endswith(WEIGHTS)},
        )
        (directory / "README.md").write_text(page, encoding="utf-8")
        check_sizes(trained_model(args.model.parent, directory), load_tokenizer(directory))
        write_manifest(
            directory,
            inputs={"adapter": args.adapter, "model": args.model},
            counts={"trainable_parameters": read_json(args.adapter)["counts"]["trainable_parameters"]},
            packages=["peft"],
        )
    say(f"export: {args.output.parent}: the adapter and its tokenizer")


if __name__ == "__main__":
    run(main)
