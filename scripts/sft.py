r"""Stage 2: fine-tune on instructions; only responses are learned.

    python scripts/sft.py --settings '{"rank": 16}' --seed 1 --gpu 0 \
        --model results/pretrain_model/manifest.json --data results/sft_data/manifest.json \
        --work work --output results/sft_lora/manifest.json

A fresh LoRA adapter is trained on the stage-1 model (or every weight of it, with `method: full`). With --adapter, that
adapter is trained on instead, on the model that it was made for.
Stopped (SIGTERM, Ctrl-C, max_minutes, a crash), it goes on from its newest checkpoint when run again.
"""

from pathlib import Path

from lib.core.program import program_parser, run
from lib.distributed.launcher import spread
from lib.settings.base import from_json
from lib.settings.sft import SftSettings
from lib.tokens.token_files import read_tokens
from lib.training.run import Run, add_run_arguments
from lib.training.train import require_examples, train


def main() -> None:
    parser = program_parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument(
        "--adapter", type=Path, nargs="?", help="manifest of an adapter to go on from; without a value, a fresh one"
    )
    args = parser.parse_args()
    spread(args.gpu or args.processes, args.nodes)
    settings = from_json(SftSettings, args.settings)

    train_set = read_tokens(args.data.parent / "train.arrow")
    held_out = read_tokens(args.data.parent / "validation.arrow")
    require_examples(train_set, "instructions to train on", "add instruction sets")
    require_examples(held_out, "held-out instructions", "raise sft.validation_fraction")
    train(
        Run.of("sft", settings, args),
        train_set,
        held_out,
        by_length=True,
    )


if __name__ == "__main__":
    run(main)
