r"""The stage-1 model as a directory of its own: the adapter merged into the extended model, or what a full run made.

    python scripts/pretrain_model.py --model results/extended_model/manifest.json \
        --adapter results/pretrain_lora/manifest.json --output results/pretrain_model/manifest.json

The adapter is merged into the weights as they are kept on disk, never into quantized ones.
"""

from pathlib import Path

from lib.core.integrity import described_directory
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json
from lib.core.program import program_parser, run, say
from lib.models.loading import check_sizes, load_tokenizer, quiet_libraries
from lib.models.publishing import publish_model, publish_tokenizer
from lib.training.adapters import trained_model


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    quiet_libraries()

    model = trained_model(args.model.parent, args.adapter.parent)
    tokenizer = load_tokenizer(args.model.parent)
    check_sizes(model, tokenizer)
    with described_directory(args.output.parent) as directory:
        publish_model(model, directory)
        publish_tokenizer(tokenizer, directory)
        write_manifest(
            directory,
            inputs={"model": args.model, "adapter": args.adapter},
            counts={"parameters": model.num_parameters(), "vocabulary": model.config.vocab_size},
            packages=["torch", "transformers", "peft"],
            facts={"new_token_ids": read_json(args.model)["facts"]["new_token_ids"]},
        )
    say(f"pretrain: the model is in {args.output.parent}")


if __name__ == "__main__":
    run(main)
