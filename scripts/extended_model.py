"""Give the base model embedding rows for the new tokens.

    python scripts/extended_model.py --settings '{"initialization": "mean"}' --seed 1 \
        --base-model results/base_model/manifest.json --tokenizer results/tokenizer/manifest.json \
        --output results/extended_model/manifest.json

Writes a complete Hugging Face model directory, tokenizer included: the start of stage 1.
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer

from lib.continued_bpe import constituents
from lib.embedding import add_rows
from lib.errors import run
from lib.manifest import write_manifest
from lib.models import check_sizes, load_model, load_tokenizer, quiet_libraries
from lib.outputs import new_directory
from lib.settings.base import from_json
from lib.settings.tokenizer import InitializationSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(InitializationSettings, args.settings)
    quiet_libraries()

    base, extended = (
        Tokenizer.from_file(str(manifest.parent / "tokenizer.json")) for manifest in (args.base_model, args.tokenizer)
    )
    model = load_model(args.base_model.parent)
    rows_before = model.config.vocab_size
    new_tokens = constituents(base, extended)
    add_rows(model, new_tokens, settings.initialization, torch.Generator().manual_seed(args.seed))
    tokenizer = load_tokenizer(args.tokenizer.parent)
    check_sizes(model, tokenizer)
    with new_directory(args.output.parent) as directory:
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        write_manifest(
            directory,
            inputs={"base_model": args.base_model, "tokenizer": args.tokenizer},
            counts={
                "rows_before": rows_before,
                "rows_after": model.config.vocab_size,
                "parameters": model.num_parameters(),
            },
            settings=settings,
            seed=args.seed,
            packages=["torch", "transformers"],
            facts={"new_token_ids": list(new_tokens)},
        )
    print(
        f"tokenizer: extended model has {model.num_parameters() / 1e6:.1f} M parameters, "
        f"{rows_before:,} → {model.config.vocab_size:,} embedding rows",
        flush=True,
    )


if __name__ == "__main__":
    run(main)
