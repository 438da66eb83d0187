r"""Stage 1: continue the base model's training on the corpus: a LoRA adapter and new tokens' rows, or every weight.

    python scripts/pretrain.py --settings '{"rank": 16}' --seed 1 --gpu 0 \
        --model results/extended_model/manifest.json --data results/pretrain_data/manifest.json \
        --work work --output results/pretrain_lora/manifest.json

Stopped (SIGTERM, Ctrl-C, max_minutes, a crash), it goes on from its newest checkpoint when run again.
"""

import numpy as np

from lib.core.program import program_parser, run
from lib.distributed.launcher import spread
from lib.settings.base import from_json
from lib.settings.pretrain import PretrainSettings
from lib.tokens.token_files import read_tokens
from lib.training.run import Run, add_run_arguments
from lib.training.train import require_examples, train


def main() -> None:
    parser = program_parser(__doc__)
    add_run_arguments(parser)
    args = parser.parse_args()
    spread(args.gpu or args.processes, args.nodes)
    settings = from_json(PretrainSettings, args.settings)

    train_set = read_tokens(args.data.parent / "train.arrow")
    held_out = read_tokens(args.data.parent / "validation.arrow")
    require_examples(train_set, "text to train on", "add sources to the corpus")
    require_examples(held_out, "held-out text", "raise corpus.validation_fraction")
    chosen = np.linspace(0, len(held_out), min(settings.validation_blocks, len(held_out)), endpoint=False, dtype=int)
    train(
        Run.of("pretrain", settings, args),
        train_set,
        held_out.select(chosen),
        by_length=False,
    )


if __name__ == "__main__":
    run(main)
