"""Stage 1 of a run with a clock and a ruler in it: extension_training.py RESULTS MODEL SETTINGS EVERY WORK.

Trains the model directory MODEL on the blocks of the folder RESULTS as SETTINGS (JSON, a file) say. Before the first
step and after each EVERY steps, the clock stands still and the held-out text and the held-out responses of RESULTS are
scored. Prints one JSON list of what was measured.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "scripts"))

from transformers import TrainerCallback

from lib.corpus.storage.reader import texts
from lib.evaluation.scorer import Scorer, read_examples
from lib.evaluation.scoring import total
from lib.models.compute import pick_device, pick_precision
from lib.models.document_tokens import recorded_document_tokens
from lib.models.loading import load_tokenizer
from lib.settings.base import from_json
from lib.settings.evaluation import ScoringSettings
from lib.settings.pretrain import PretrainSettings
from lib.text.sample import sample_pieces
from lib.tokens.token_files import read_tokens
from lib.training import train
from lib.training.run import Run

CHARACTERS = 8_000  # of held-out text that are scored


class Ruler(TrainerCallback):
    """Scores the model now and then on what the run holds out, and counts the processor time of what is between."""

    def __init__(self, results: Path, precision: str, every: int) -> None:
        self.every = every
        self.points: list[dict[str, float]] = []
        self.seconds = self.started = 0.0
        settings = ScoringSettings()
        corpus = results / "corpus" / "manifest.json"
        self.held_out = sample_pieces(texts(corpus, "validation"), settings.window_characters, CHARACTERS)
        self.examples = read_examples(results / "sft_data" / "validation.jsonl", settings.max_instructions)
        self.precision = pick_precision(precision, pick_device(0))  # type: ignore[arg-type]
        self.tokenizer = load_tokenizer(results / "sft_data" / "tokenizer")
        base_model = results / "base_model" / "manifest.json"
        self.before = recorded_document_tokens(base_model, self.tokenizer.backend_tokenizer).before

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._measure(0, kwargs["model"])
        self.started = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.every == 0:
            self.seconds += time.process_time() - self.started
            self._measure(state.global_step, kwargs["model"])
            self.started = time.process_time()

    def _measure(self, step: int, model: Any) -> None:
        scorer = Scorer(
            f"step {step}", model, self.tokenizer, str(self.tokenizer.eos_token), self.before, self.precision
        )
        scores = {
            "text": scorer.text(self.held_out, "pieces of held-out text"),
            "responses": scorer.responses(self.examples),
        }
        bits = {name: total(some).summary()["bits_per_character"] for name, some in scores.items()}
        self.points.append({"step": step, "seconds": round(self.seconds, 2), **bits})
        print(self.points[-1], file=sys.stderr, flush=True)


def main() -> None:
    results, model, every, work = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[4]), Path(sys.argv[5])
    settings = from_json(PretrainSettings, Path(sys.argv[3]).read_text(encoding="utf-8"))
    shutil.rmtree(work, ignore_errors=True)
    ruler = Ruler(results, settings.precision, every)

    class Measured(train.StageTrainer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.add_callback(ruler)

    train.StageTrainer = Measured
    data = results / "pretrain_data"
    train.train(
        Run(
            stage="pretrain",
            settings=settings,
            seed=json.loads((data / "manifest.json").read_text(encoding="utf-8"))["seed"],
            gpu=0,
            model=model / "manifest.json",
            data=data / "manifest.json",
            work=work / "work",
            output=work / "output" / "manifest.json",
        ),
        read_tokens(data / "train.arrow"),
        read_tokens(data / "validation.arrow").select([0]),
        by_length=False,
    )
    print(json.dumps(ruler.points))


if __name__ == "__main__":
    main()
