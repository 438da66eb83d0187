r"""Extend the base model by the new tokens of one size, train it briefly, and score it on the way.

    python scripts/sweep_size.py --settings '{"steps": 120}' --initialization '{}' --training '{"rank": 16}' \
        --scoring '{}' --seed 1 --gpu 0 --base-model results/base_model/manifest.json \
        --tokenizer results/sweep/2000/tokenizer/manifest.json --corpus results/corpus/manifest.json \
        --output results/sweep/2000/scores.json

Nothing is kept of the model. Every size reads the same text in the same order, the larger ones further.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedModel

from lib.core.errors import UserError
from lib.core.outputs import new_file, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.storage.reader import texts
from lib.evaluation.scoring import Score, TokenSequence, negative_log_likelihoods, total
from lib.extended_model.extend import extend_model
from lib.models.compute import Precision, pick_device, pick_precision, use_job_threads
from lib.models.document_tokens import recorded_document_tokens
from lib.models.loading import load_model, quiet_libraries
from lib.settings.base import from_json
from lib.settings.evaluation import ScoringSettings
from lib.settings.pretrain import PretrainSettings
from lib.settings.sweep import BriefTrainingSettings
from lib.settings.tokenizer import InitializationSettings
from lib.text.hashes import checksum
from lib.text.sample import Piece, sample_pieces
from lib.tokenizer.continued_bpe import constituents
from lib.training.short_run import blocks, train_briefly

PIECE_CHARACTERS = 2_048  # of training text
CHARACTERS_PER_TOKEN = 8  # more than any vocabulary here reaches: so much text is enough


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--initialization", required=True, help="settings of the new tokens' rows")
    parser.add_argument("--training", required=True, help="settings of stage 1")
    parser.add_argument("--scoring", required=True, help="settings of what is scored")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--gpu", type=int, required=True, help="number of GPUs; 0 computes on the CPU")
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(BriefTrainingSettings, args.settings)
    training = from_json(PretrainSettings, args.training)
    scoring = from_json(ScoringSettings, args.scoring)
    quiet_libraries()
    use_job_threads()
    device = pick_device(args.gpu)
    precision = pick_precision(training.precision, device)

    base, extended = (
        Tokenizer.from_file(str(manifest.parent / "tokenizer.json")) for manifest in (args.base_model, args.tokenizer)
    )
    document = recorded_document_tokens(args.base_model, extended)
    new_tokens = constituents(base, extended)
    model = load_model(args.base_model.parent, device).requires_grad_(False).eval()
    parameters_before = model.num_parameters()
    initialization = from_json(InitializationSettings, args.initialization)
    text = texts(args.corpus, "train")
    extend_model(model, new_tokens, extended, document.before, text, initialization, precision, args.seed)
    parameters_added = model.num_parameters() - parameters_before

    pieces = sample_pieces(texts(args.corpus, "validation"), scoring.window_characters, scoring.max_characters)
    if not pieces:
        raise UserError("no held-out text; raise corpus.validation_fraction")
    curve: list[dict[str, Any]] = []

    def after_step(step: int, loss: float | None = None) -> None:
        if step % settings.score_steps == 0 or step == settings.steps:
            curve.append({"step": step, **score(model, extended, document.before, pieces, precision).summary()})
            bits = curve[-1]["bits_per_character"]
            say(
                f"sweep: {len(new_tokens):,} new tokens: step {step}/{settings.steps}  {bits} bits per character",
            )

    after_step(0)
    tokens = settings.steps * training.batch_size * training.gradient_accumulation * training.block_size
    train = sample_pieces(texts(args.corpus, "train"), PIECE_CHARACTERS, tokens * CHARACTERS_PER_TOKEN)
    in_order = sorted((piece.text for piece in train), key=checksum)
    rows = blocks(in_order, lambda text: encode(extended, text), document.between, training.block_size)
    train_briefly(model, rows, settings.steps, training, list(new_tokens), precision, args.seed, after_step)
    with new_file(args.output) as path:
        facts = {"new_tokens": len(new_tokens), "parameters_added": parameters_added, "training_tokens": tokens}
        write_json(path, facts | {"curve": curve})


def score(
    model: PreTrainedModel, tokenizer: Tokenizer, before: Sequence[int], pieces: Sequence[Piece], precision: Precision
) -> Score:
    """How well `model` predicts every token of the `pieces`, behind the tokens `before`."""
    sequences = [TokenSequence([*before, *encode(tokenizer, piece.text)], len(before)) for piece in pieces]
    nats = negative_log_likelihoods(model, sequences, precision)
    return total(
        Score.of(piece.text, value, sequence.predicted)
        for piece, value, sequence in zip(pieces, nats, sequences, strict=True)
    )


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


if __name__ == "__main__":
    run(main)
