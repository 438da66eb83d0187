r"""The finished chat model, standing alone with its card: the stage-2 adapter merged, or what a full run made.

    python scripts/sft_model.py --model results/pretrain_model/manifest.json \
        --adapter results/sft_lora/manifest.json --base-model results/base_model/manifest.json \
        --corpus results/corpus/manifest.json --origins results/corpus/origins.json \
        --tokenizer results/tokenizer/manifest.json --pretrain results/pretrain_lora/manifest.json \
        --sft-data results/sft_data/manifest.json --scores results/evaluation/scores.tsv \
        --differences results/evaluation/differences.tsv \
        --addresses '{"base_model": {"uri": "data/model"}}' --output results/sft_model
"""

import json
from pathlib import Path

from lib.chat.answers import end_tokens
from lib.core.code_version import release
from lib.core.credentials import cleaned
from lib.core.integrity import described_directory
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json
from lib.core.program import program_parser, run, say
from lib.evaluation.forgetting import forgetting
from lib.evaluation.score_table import read_score_table
from lib.models.loading import check_sizes, load_tokenizer, quiet_libraries
from lib.models.publishing import publish_model, publish_tokenizer
from lib.sft.model_card import model_card
from lib.training.adapters import trained_model

LINEAGE = ("base_model", "corpus", "tokenizer", "pretrain", "own_stage_1", "sft_data", "adapter")
MAY_LACK = ("corpus", "tokenizer", "pretrain", "own_stage_1")
"""What a run may do without."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True)
    for name in LINEAGE:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=Path, required=name not in MAY_LACK, nargs="?" if name in MAY_LACK else None)
    parser.add_argument("--origins", type=Path, nargs="?", help="origins.json of the corpus")
    parser.add_argument(
        "--addresses",
        type=json.loads,
        default={},
        help="JSON: for the card, facts by stage that the settings give today",
    )
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--differences", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    quiet_libraries()

    lineage = {name: path for name in LINEAGE if (path := getattr(args, name)) is not None}
    model = trained_model(args.model.parent, args.adapter.parent)
    tokenizer = load_tokenizer(args.sft_data.parent / "tokenizer")  # with the template that it was trained with
    check_sizes(model, tokenizer)
    ends = end_tokens(model, tokenizer)
    model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    with described_directory(args.output) as directory:
        publish_model(model, directory)
        publish_tokenizer(tokenizer, directory)
        manifests = {name: read_json(path) for name, path in lineage.items()}
        if args.origins:
            manifests["corpus"]["facts"] |= read_json(args.origins)
        for name in lineage.keys() & args.addresses.keys():  # the same may have been fetched from elsewhere
            manifests[name]["facts"] |= cleaned(args.addresses[name])
        found = forgetting(read_score_table(args.differences))
        notes = [f"{one.sentence[0].upper()}{one.sentence[1:]}" for one in found if one.model == "finetuned"]
        card = model_card(manifests, args.scores, release(), args.differences, notes)
        card.save(directory / "README.md")
        write_manifest(
            directory,
            inputs={"model": args.model, "scores": args.scores, "differences": args.differences, **lineage},
            counts={"parameters": model.num_parameters(), "vocabulary": model.config.vocab_size},
            packages=["torch", "transformers", "peft"],
        )
    say(f"sft: the finished model is in {args.output}")


if __name__ == "__main__":
    run(main)
