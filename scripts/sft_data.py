"""Turn instruction sets into training examples: chat text and tokens, with labels on the responses only.

    python scripts/sft_data.py --settings '{"max_length": 512}' --seed 1 \
        --tokenizer results/tokenizer/manifest.json --sets '[{"name": "demo", "uri": "…", "sha256": ""}]' \
        --downloads work/downloads --output results/sft_data/manifest.json

Writes train and validation as readable .jsonl and as .arrow (input_ids, labels), and skipped.jsonl: every record
left out, with the reason.
"""

import argparse
import hashlib
import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lib.addresses import fetched
from lib.arrow import IGNORED_LABEL, TokenWriter
from lib.errors import UserError, run
from lib.instructions import held_out, read_instructions, render, require_chat_template
from lib.manifest import write_manifest
from lib.models import load_tokenizer, quiet_libraries
from lib.outputs import new_directory
from lib.settings.base import from_json
from lib.settings.sft import InstructionSettings

SPLITS = ("train", "validation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--sets", type=json.loads, required=True, help="JSON list of objects with name, uri and sha256")
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(InstructionSettings, args.settings)
    quiet_libraries()

    with new_directory(args.output.parent) as directory:
        counts = write_examples(args.sets, args.downloads, args.tokenizer.parent, settings, args.seed, directory)
        for split, remedy in (("train", "add instructions"), ("validation", "raise sft.validation_fraction")):
            if not counts[split]:
                raise UserError(f"no instruction is left for {split} ({dict(counts)}); {remedy}")
        write_manifest(
            directory,
            inputs={"tokenizer": args.tokenizer},
            counts=counts,
            settings=settings,
            seed=args.seed,
            packages=["transformers", "tokenizers", "pyarrow"],
            facts={"sets": [row["name"] for row in args.sets]},
        )
    print(
        f"sft: {counts['train']:,} examples to train on, {counts['validation']:,} held out, "
        f"{counts['skipped_too_long']} too long, {counts['skipped_duplicate']} duplicates",
        flush=True,
    )


def write_examples(
    sets: list[dict[str, Any]],
    downloads: Path,
    tokenizer_directory: Path,
    settings: InstructionSettings,
    seed: int,
    directory: Path,
) -> Counter[str]:
    """Stream every record of every set into train, validation or skipped; returns the counts."""
    tokenizer = load_tokenizer(tokenizer_directory)
    require_chat_template(tokenizer)
    counts: Counter[str] = Counter(dict.fromkeys((*SPLITS, "skipped_too_long", "skipped_duplicate"), 0))
    seen: set[bytes] = set()  # 16 bytes for every record
    with ExitStack() as files:
        readable = {
            name: files.enter_context((directory / f"{name}.jsonl").open("w", encoding="utf-8"))
            for name in (*SPLITS, "skipped")
        }
        tokens = {
            split: files.enter_context(TokenWriter(directory / f"{split}.arrow", ["input_ids", "labels"]))
            for split in SPLITS
        }
        for row in sets:
            path = files.enter_context(fetched(row["uri"], downloads, row["sha256"]))
            for number, instruction in enumerate(read_instructions(path)):
                example = render(instruction, tokenizer)
                record = {
                    "id": f"{row['name']}:{number:08d}",
                    "source": row["name"],
                    "category": instruction.category,
                    "prompt": example.prompt,
                    "response": example.response,
                }
                prompt = tokenizer.encode(example.prompt, add_special_tokens=False)
                response = tokenizer.encode(example.response, add_special_tokens=False)
                key = hashlib.sha256(f"{example.prompt}\0{example.response}".encode()).digest()[:16]
                length = len(prompt) + len(response)
                if key in seen:
                    counts["skipped_duplicate"] += 1
                    name, record["reason"] = "skipped", "duplicate"
                elif length > settings.max_length:
                    counts["skipped_too_long"] += 1
                    name, record["reason"] = "skipped", f"too long: {length} tokens"
                else:
                    name = SPLITS[held_out(example.prompt, settings.validation_fraction, seed)]
                    counts[name] += 1
                    labels = [IGNORED_LABEL] * len(prompt) + response
                    tokens[name].add(input_ids=prompt + response, labels=labels)
                seen.add(key)
                readable[name].write(json.dumps(record, ensure_ascii=False) + "\n")
    return counts


if __name__ == "__main__":
    run(main)
