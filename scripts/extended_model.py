r"""Give the base model embedding rows for the new tokens.

    python scripts/extended_model.py --settings '{"initialization": "fitted"}' --seed 1 --gpu 0 \
        --base-model results/base_model/manifest.json --tokenizer results/tokenizer/manifest.json \
        --corpus results/corpus/manifest.json --output results/extended_model/manifest.json

Writes a complete Hugging Face model directory, tokenizer included: the start of stage 1. Rows are fitted on the corpus
and, with --sft-data, on its examples to train on; on one of them where a run lacks the other.
"""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tokenizers import Tokenizer

from lib.core.integrity import described_directory, require_intact
from lib.core.manifest import write_manifest
from lib.core.program import program_parser, run, say
from lib.corpus.storage.reader import texts
from lib.extended_model.extend import extend_model
from lib.extended_model.rows import is_tied
from lib.models.compute import pick_device, pick_precision, use_job_threads
from lib.models.document_tokens import recorded_document_tokens
from lib.models.loading import (
    agree_on_padding,
    check_sizes,
    load_model,
    load_tokenizer,
    quiet_libraries,
)
from lib.models.publishing import publish_model, publish_tokenizer
from lib.settings.base import from_json
from lib.settings.tokenizer import InitializationSettings
from lib.tokenizer.continued_bpe import constituents


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--gpu", type=int, required=True, help="number of GPUs; 0 fits rows on the CPU")
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, nargs="?")
    parser.add_argument("--sft-data", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(InitializationSettings, args.settings)
    quiet_libraries()
    use_job_threads()
    device = pick_device(args.gpu)
    precision = pick_precision(settings.precision, device)

    base, extended = (
        Tokenizer.from_file(str(require_intact(manifest.with_name("tokenizer.json"))))
        for manifest in (args.base_model, args.tokenizer)
    )
    tokenizer = load_tokenizer(args.tokenizer.parent)
    model = load_model(args.base_model.parent, device).requires_grad_(False).eval()
    rows_before = model.config.vocab_size
    new_tokens = constituents(base, extended)
    text = chain(
        texts(args.corpus, "train") if args.corpus else (),
        examples(args.sft_data.parent) if args.sft_data else (),
    )
    before = recorded_document_tokens(args.base_model, extended).before
    extend_model(model, new_tokens, extended, before, text, settings, precision, args.seed)
    check_sizes(model, tokenizer)
    agree_on_padding(model, tokenizer)
    with described_directory(args.output.parent) as directory:
        publish_model(model, directory)
        publish_tokenizer(tokenizer, directory)
        write_manifest(
            directory,
            inputs={
                name: path
                for name in ("base_model", "tokenizer", "corpus", "sft_data")
                if (path := getattr(args, name)) is not None
            },
            counts={
                "rows_before": rows_before,
                "rows_after": model.config.vocab_size,
                "parameters": model.num_parameters(),
            },
            settings=settings,
            seed=args.seed,
            packages=["torch", "transformers"],
            facts={"new_token_ids": list(new_tokens), "tied": is_tied(model), "precision": precision},
        )
    say(
        f"tokenizer: extended model has {model.num_parameters() / 1e6:.1f} M parameters, "
        f"{rows_before:,} → {model.config.vocab_size:,} embedding rows",
    )


def examples(directory: Path) -> Iterator[tuple[str, str]]:
    """(set, text) of every example to train on in the instruction data."""
    with require_intact(directory / "train.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            example = json.loads(line)
            yield f"instructions {example['source']}", "".join(span["text"] for span in example["spans"])


if __name__ == "__main__":
    run(main)
