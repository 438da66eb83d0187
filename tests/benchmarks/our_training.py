"""A stage of this project with a clock in it: our_training.py {pretrain,sft} MODEL DATA BATCH WORK."""

import shutil
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "scripts"))

from clock import ALPHA, LEARNING_RATE, RANK, TARGETS, Clock

from lib.settings.training import TrainingSettings
from lib.tokens.token_files import read_tokens
from lib.training import train
from lib.training.run import Run


def main() -> None:
    stage, model, data, batch, work = sys.argv[1], *map(Path, sys.argv[2:4]), int(sys.argv[4]), Path(sys.argv[5])
    shutil.rmtree(work, ignore_errors=True)
    clock = Clock()

    class Timed(train.StageTrainer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.add_callback(clock)

    train.StageTrainer = Timed
    train_set = read_tokens(data / "train.arrow")
    steps = -(-len(train_set) // batch)
    settings = TrainingSettings(
        rank=RANK,
        alpha=ALPHA,
        target_modules=TARGETS,
        embeddings="new_rows" if stage == "pretrain" else "none",
        precision="fp32",
        batch_size=batch,
        learning_rate=LEARNING_RATE,
        max_steps=steps,
        eval_steps=steps,
        save_steps=steps,
        logging_steps=1,
        allow_worse=True,  # what counts here is the time
    )
    train.train(
        Run(
            stage="pretrain" if stage == "pretrain" else "sft",
            settings=settings,
            seed=1,
            gpu=0,
            model=model / "manifest.json",
            data=data / "manifest.json",
            work=work / "work",
            output=work / "output" / "manifest.json",
        ),
        train_set,
        read_tokens(data / "validation.arrow").select([0]),
        by_length=stage == "sft",
    )
    clock.report()


if __name__ == "__main__":
    main()
