r"""The finished model as a GGUF file for llama.cpp and Ollama, compared with the original before it is kept.

Usage:
    python scripts/export_gguf.py --type f16 --settings '{}' --model results/sft_model \
        --corpus results/corpus/manifest.json --sft-data results/sft_data/manifest.json \
        --output results/export/gguf-f16/manifest.json

llama.cpp loads the file and must cut the lines of the corpus, and held-out conversations, into the same tokens as
transformers; a file of the type f16 must also give the same answers.
"""

from itertools import islice
from pathlib import Path
from typing import get_args

import torch
from huggingface_hub import ModelCard

from lib.core.integrity import described_directory, require_intact
from lib.core.manifest import NAME, write_manifest
from lib.core.program import program_parser, run, say
from lib.export.comparison import check_tokens, compare_answers, held_out_prompts, lines_of
from lib.export.gguf_file import end_ids, write_gguf
from lib.export.gguf_types import FileType
from lib.export.llama_cpp import LlamaCpp
from lib.export.modelfile import modelfile
from lib.models.loading import WEIGHTS_AND_CONFIGS, load_model, load_tokenizer, quiet_libraries
from lib.settings.base import from_json
from lib.settings.export import ComparisonSettings

PROMPTS = 50
"""Maximum number of held-out conversations whose tokens are compared."""
ANSWER_TOKENS = 48
CONTEXT = 4096


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--type", choices=get_args(FileType), required=True)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--model", type=Path, required=True, help="directory of the model, or the manifest in it")
    parser.add_argument("--corpus", type=Path, nargs="?")
    parser.add_argument("--sft-data", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(ComparisonSettings, args.settings)
    quiet_libraries()

    model: Path = require_intact(args.model if args.model.is_dir() else args.model.parent, *WEIGHTS_AND_CONFIGS)
    tokenizer, ends = load_tokenizer(model), end_ids(model)
    lines = lines_of(args.corpus, settings.compared_lines) if args.corpus else []
    found = held_out_prompts(args.sft_data.parent / "validation.jsonl") if args.sft_data else iter(())
    prompts = list(islice(found, PROMPTS))
    inputs = {"model": model / NAME}
    inputs |= {name: path for name in ("corpus", "sft_data") if (path := getattr(args, name))}
    with described_directory(args.output.parent) as directory:
        file = directory / f"model-{args.type}.gguf"
        name, license_name = card_names(model)
        vocabulary = write_gguf(model, tokenizer, file, args.type, name, license_name)
        llama = LlamaCpp(file, min(CONTEXT, tokenizer.model_max_length), torch.get_num_threads())
        unlike = check_tokens(llama, tokenizer, lines, prompts)
        counts = {"lines_compared": len(lines), "conversations_compared": len(prompts)}
        if args.type == "f16" and settings.compared_answers:
            asked = [llama.tokens(prompt.text, special=True) for prompt in prompts] or [
                llama.tokens(line, special=False) for line in lines
            ]
            answers = compare_answers(
                llama,
                load_model(model, dtype=torch.float32),
                [ids for ids in asked if ids][: settings.compared_answers],
                ANSWER_TOKENS,
            )
            counts |= {"answer_tokens_compared": answers.tokens, "answer_tokens_same": answers.same}
        written = modelfile(tokenizer, file.name, ends, begins=vocabulary.begins)
        (directory / "Modelfile").write_text(written, encoding="utf-8")
        write_manifest(
            directory,
            inputs=inputs,
            counts={"bytes": file.stat().st_size, **counts},
            settings=settings,
            packages=["gguf", "xllamacpp"],
            facts={"pre_tokenizer": vocabulary.pre, "sample_texts_read_otherwise": unlike},
        )
    for text in unlike:
        say(f"export: unlike transformers, llama.cpp reads {text!r} otherwise; nothing of the corpus is like that")
    say(f"export: {args.output.parent / file.name}: {', '.join(f'{n:,} {key}' for key, n in counts.items())}")


def card_names(model: Path) -> tuple[str, str]:
    """Name and licence of the model, by its card if it has one."""
    if not (model / "README.md").is_file():
        return "model", ""
    data = ModelCard.load(model / "README.md").data
    return str(data.get("model_name") or "model"), str(data.get("license") or "")


if __name__ == "__main__":
    run(main)
