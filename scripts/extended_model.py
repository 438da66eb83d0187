"""Give the base model embedding rows for the new tokens.

    python scripts/extended_model.py --settings '{"initialization": "fitted"}' --seed 1 --gpu 0 \
        --base-model results/base_model/manifest.json --tokenizer results/tokenizer/manifest.json \
        --corpus results/corpus/manifest.json --output results/extended_model/manifest.json

Writes a complete Hugging Face model directory, tokenizer included: the start of stage 1.
"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from lib.continued_bpe import constituents
from lib.corpus import texts
from lib.embedding import Constituents, add_rows, is_tied, put_rows, untie
from lib.errors import run
from lib.input_rows import fit_input_rows
from lib.manifest import write_manifest
from lib.models import (
    Precision,
    check_sizes,
    document_separator,
    load_model,
    load_tokenizer,
    pick_device,
    pick_precision,
    quiet_libraries,
)
from lib.output_rows import fit_output_rows, read_positions, shares_of_first
from lib.outputs import new_directory
from lib.replaced_text import ReplacedText, replaced_texts
from lib.scoring import checksum, windows
from lib.settings.base import from_json
from lib.settings.tokenizer import InitializationSettings

PIECE_CHARACTERS = 256
REPORT_STEPS = 20
REPORT_TEXTS = 80
REPORT_PASSES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--gpu", type=int, required=True, help="number of GPUs; 0 fits rows on the CPU")
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(InitializationSettings, args.settings)
    quiet_libraries()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    device = pick_device(args.gpu)
    precision = pick_precision(settings.precision, device)

    base, extended = (
        Tokenizer.from_file(str(manifest.parent / "tokenizer.json")) for manifest in (args.base_model, args.tokenizer)
    )
    tokenizer = load_tokenizer(args.tokenizer.parent)
    model = load_model(args.base_model.parent, device).requires_grad_(False).eval()
    rows_before = model.config.vocab_size
    new_tokens = constituents(base, extended)
    if settings.untie:
        untie(model)
    if new_tokens:
        pieces = windows(texts(args.corpus, "train"), PIECE_CHARACTERS, settings.fit_characters)
        # Each piece in a place that hangs on its text alone, so that the steps see all sources in turn.
        train = sorted((piece.text for piece in pieces), key=checksum)
        replaced = list(replaced_texts(train, extended, new_tokens, document_separator(tokenizer)))
        extend(model, new_tokens, replaced, settings, precision, args.seed)
    check_sizes(model, tokenizer)
    with new_directory(args.output.parent) as directory:
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        write_manifest(
            directory,
            inputs={"base_model": args.base_model, "tokenizer": args.tokenizer, "corpus": args.corpus},
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
    print(
        f"tokenizer: extended model has {model.num_parameters() / 1e6:.1f} M parameters, "
        f"{rows_before:,} → {model.config.vocab_size:,} embedding rows",
        flush=True,
    )


def extend(
    model: PreTrainedModel,
    new_tokens: Constituents,
    train: Sequence[ReplacedText],
    settings: InitializationSettings,
    precision: Precision,
    seed: int,
) -> None:
    """Give `model`, in place, rows for `new_tokens` that start as `settings` say; `train` is text that has them."""
    generator = torch.Generator().manual_seed(seed)
    if settings.initialization != "fitted":
        frequencies = Counter(token_id for text in train for token_id in text.base_ids)
        add_rows(model, new_tokens, settings.initialization, generator, frequencies)
        return
    add_rows(model, new_tokens, "mean", generator)
    fit(model, new_tokens, train, settings.fit_steps, precision, generator)


def fit(
    model: PreTrainedModel,
    new_tokens: Constituents,
    train: Sequence[ReplacedText],
    steps: int,
    precision: Precision,
    generator: torch.Generator,
) -> None:
    """Fit the rows of `new_tokens`, which `model` has already: input rows, and output rows on top of what they do.

    A tied row is one that serves as output row, held near the one that serves as input row.
    """

    def after_step(step: int, loss: float) -> None:
        if step % REPORT_STEPS == 0 or step == steps:
            print(f"tokenizer: input rows: step {step}/{steps}  difference {loss:.4f}", flush=True)

    def after_texts(done: int) -> None:
        if done % REPORT_TEXTS == 0 or done == len(train):
            print(f"tokenizer: output rows: {done} of {len(train)} pieces of text read", flush=True)

    def after_pass(number: int, passes: int, loss: float) -> None:
        if number % REPORT_PASSES == 0 or number == passes:
            print(f"tokenizer: output rows: pass {number}/{passes}  loss {loss:.4f}", flush=True)

    first_new = min(new_tokens)
    old_rows = model.get_input_embeddings().weight[:first_new].float()
    inputs = model.get_input_embeddings().weight[list(new_tokens)].float()
    inputs = fit_input_rows(model, inputs, new_tokens, train, steps, precision, after_step)
    put_rows(model, new_tokens, inputs, inputs)
    positions = read_positions(model, train, first_new, precision, after_texts)
    start = inputs if is_tied(model) else shares_of_first(model, new_tokens, train, positions)
    scale = float(old_rows.square().mean().sqrt())
    outputs = fit_output_rows(start, scale, first_new, positions, precision, generator, after_pass)
    put_rows(model, new_tokens, outputs if is_tied(model) else inputs, outputs)


if __name__ == "__main__":
    run(main)
