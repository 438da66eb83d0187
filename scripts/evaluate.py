r"""Score one model on held-out text, held-out instructions and a control text, and let it answer the sample prompts.

Usage:
    python scripts/evaluate.py --settings '{"prompts": ["你好"]}' --name base --gpu 0 \
        --model results/base_model/manifest.json --base-model results/base_model/manifest.json --adapter \
        --corpus results/corpus/manifest.json --sft-data results/sft_data/manifest.json \
        --control resources/demo/control_en.txt --reading '{}' --scores results/evaluation/base.json \
        --measurements results/evaluation/items/base.tsv

`--adapter` names the manifest of a LoRA adapter that is merged into the model in memory; without a value, none is. A
run without a corpus or without instructions leaves out what is scored on them; without instructions, `--tokenizer`
names the manifest of the run's tokenizer.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.core.outputs import new_file, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.storage.reader import texts
from lib.evaluation.answer_quality import answer_items
from lib.evaluation.cloze import Cloze, cloze_items, cloze_questions
from lib.evaluation.items import Item, write_items
from lib.evaluation.multiple_choice import NO_QUESTIONS, Questions, choice_items, read_questions
from lib.evaluation.named_texts import named_texts
from lib.evaluation.scorer import HeldOutExample, Scorer, load_evaluated, read_examples
from lib.evaluation.scoring import Score, total
from lib.models.compute import pick_device, pick_precision, round_linear_weights
from lib.models.document_tokens import recorded_document_tokens
from lib.models.loading import quiet_libraries
from lib.settings.base import from_json
from lib.settings.corpus import ReadingSettings
from lib.settings.evaluation import ScoringSettings
from lib.text.sample import Piece, sample_pieces
from lib.text.scripts import ANY_SCRIPT

UNTRAINED = "extended"
"""The model with untrained rows, whose answers nobody needs."""


def grouped(scores: Iterable[tuple[str, Score]]) -> dict[str, Any] | None:
    """Figures over all `scores` and for each name they carry; None when there are none."""
    groups: Mapping[str, list[Score]] = defaultdict(list)
    for name, score in scores:
        groups[name].append(score)
    if not groups:
        return None
    return {
        "overall": total(score for group in groups.values() for score in group).summary(),
        "parts": {name: total(group).summary() for name, group in sorted(groups.items())},
    }


@dataclass(frozen=True)
class Material:
    """What is measured: the same for every model."""

    held_out: Sequence[Piece] = ()
    examples: Sequence[HeldOutExample] = ()
    control: Sequence[Piece] = ()
    prompts: Sequence[str] = ()
    questions: Questions = NO_QUESTIONS
    """Of multiple choice."""
    gaps: Sequence[Cloze] = ()
    script: str = ANY_SCRIPT
    """The script that answers should be in."""


def evaluate(scorer: Scorer, settings: ScoringSettings, material: Material) -> tuple[dict[str, Any], list[Item]]:
    """Everything that is measured on one model: what results/evaluation/MODEL.json holds, and its items."""
    held_out, examples, control = material.held_out, material.examples, material.control
    text_scores = scorer.text(held_out, "pieces of held-out text") if held_out else []
    text = list(zip(held_out, text_scores, strict=True))
    responses = list(zip(examples, scorer.responses(examples) if examples else [], strict=True))
    control_scores = scorer.text(control, "pieces of control text") if control else []
    asked = examples[: settings.answered_instructions] if scorer.name != UNTRAINED else []
    if asked:
        say(f"evaluation: {scorer.name}: answering {len(asked)} held-out instructions")
    answered = scorer.answers(asked, settings.answer_tokens)
    askable = material.prompts if scorer.tokenizer.chat_template else []
    if material.prompts and not askable:
        say(f"evaluation: {scorer.name}: there is no chat template, so the sample prompts are not asked")
    if askable:
        say(f"evaluation: {scorer.name}: answering {len(askable)} sample prompts")
    answers = scorer.answers_to(askable, settings.max_new_tokens) if askable else []
    items = [
        *(_bits("text", piece.source, piece.document, score) for piece, score in text),
        *(_bits("response", one.category, one.id, score) for one, score in responses),
        *(_bits("control", "", piece.document, score) for piece, score in zip(control, control_scores, strict=True)),
        *answer_items(asked, answered, scorer.end, material.script),
        *choice_items(scorer, material.questions, settings.answer_label),
        *cloze_items(scorer, material.gaps),
    ]
    result = {
        "model": scorer.name,
        "precision": scorer.precision,
        "text": grouped((piece.source, score) for piece, score in text),
        "responses": grouped((example.category, score) for example, score in responses),
        "control": total(control_scores).summary() if control_scores else None,
        "answers": [asdict(answer) for answer in answers],
        "held_out_answers": [
            {"id": example.id, "reference": example.response.removesuffix(scorer.end), **asdict(answer)}
            for example, answer in zip(asked, answered, strict=True)
        ],
    }
    return result, items


def _bits(measured: str, part: str, document: str, score: Score) -> Item:
    return Item(f"{measured}_bits_per_character", part, document, score.nats / math.log(2), score.characters)


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True, help="settings of the evaluation stage, as JSON")
    parser.add_argument("--name", required=True, help="name of the model in the results")
    parser.add_argument("--gpu", type=int, default=0, help="GPUs to use; 0 computes on the CPU")
    parser.add_argument("--model", type=Path, required=True, help="manifest.json of the model")
    parser.add_argument("--base-model", type=Path, required=True, help="manifest.json of the base model")
    parser.add_argument("--adapter", type=Path, nargs="?", help="manifest.json of an adapter for the model")
    parser.add_argument("--tokenizer", type=Path, nargs="?", help="manifest.json of the tokenizer without --sft-data")
    parser.add_argument("--corpus", type=Path, nargs="?", help="manifest.json of the corpus")
    parser.add_argument("--sft-data", type=Path, nargs="?", help="manifest.json of the instruction data")
    parser.add_argument("--control", nargs="?", help="address of text in the base model's own language")
    parser.add_argument("--reading", required=True, help="how files are read, as JSON")
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--script", default=ANY_SCRIPT, help="script that answers should be in")
    parser.add_argument("--scores", type=Path, required=True, help="JSON file to write: figures and answers")
    parser.add_argument(
        "--measurements", type=Path, required=True, help="table to write: what was measured on each text"
    )
    args = parser.parse_args()
    settings = from_json(ScoringSettings, args.settings)
    reading = from_json(ReadingSettings, args.reading)
    quiet_libraries()

    held_out = read_held_out(args.corpus, settings) if args.corpus else []
    instructions = args.sft_data.parent if args.sft_data else None
    examples = read_examples(instructions / "validation.jsonl", settings.max_instructions) if instructions else []
    control, prompts = [], settings.prompts
    if args.control:
        texts_of_control = named_texts("evaluation.control", args.control, args.downloads, reading)
        parts = (("control", text) for text in texts_of_control)
        control = sample_pieces(parts, settings.window_characters, settings.max_characters)
    if isinstance(prompts, str):
        prompts = list(named_texts("evaluation.prompts", prompts, args.downloads, reading, "prompt", "lines"))
    questions, gaps = NO_QUESTIONS, []
    if settings.multiple_choice:
        questions = read_questions(settings.multiple_choice, args.downloads, reading, settings)
    if settings.cloze_questions and args.corpus:
        gaps = cloze_questions(texts(args.corpus, "validation"), settings.cloze_questions)
        say(f"evaluation: {args.name}: {len(gaps)} cloze questions out of held-out text")

    device = pick_device(args.gpu)
    say(f"evaluation: {args.name}: loading the model")
    model, tokenizer, chat = load_evaluated(args.model, args.adapter, args.sft_data, args.tokenizer)
    precision = pick_precision(settings.precision, device)
    round_linear_weights(model, precision)
    before = recorded_document_tokens(args.base_model, tokenizer.backend_tokenizer).before
    scorer = Scorer(args.name, model.to(device), tokenizer, str(chat.eos_token), before, precision)
    material = Material(held_out, examples, control, prompts, questions, gaps, args.script)
    result, items = evaluate(scorer, settings, material)
    write_items(args.measurements, items)
    with new_file(args.scores) as path:
        write_json(path, result)
    figures = {"held-out text": result["text"], "responses": result["responses"]}
    scored = [f"{what} {one['overall']['bits_per_character']:.3f}" for what, one in figures.items() if one]
    say(f"evaluation: {args.name}: {', '.join(scored) or 'no text'} bits per character")


def read_held_out(corpus: Path, settings: ScoringSettings) -> list[Piece]:
    """The corpus's held-out text, or as much of it as is to be scored, in pieces."""
    held_out = sample_pieces(texts(corpus, "validation"), settings.window_characters, settings.max_characters)
    if not held_out:
        raise UserError(f"{corpus} holds out no text to score; raise corpus.validation_fraction")
    return held_out


if __name__ == "__main__":
    run(main)
