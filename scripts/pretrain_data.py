"""Turn the cleaned corpus into packed blocks of tokens, so that no GPU waits for a tokenizer.

    python scripts/pretrain_data.py --settings '{"block_size": 512}' \
        --corpus results/corpus/manifest.json --tokenizer results/tokenizer/manifest.json \
        --output results/pretrain_data/manifest.json

Writes train.arrow and validation.arrow with one column, input_ids.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from lib.arrow import TokenWriter
from lib.corpus import Split, texts
from lib.errors import run
from lib.manifest import write_manifest
from lib.models import document_separator, load_tokenizer, quiet_libraries
from lib.outputs import new_directory
from lib.packing import pack
from lib.settings.base import from_json
from lib.settings.pretrain import PackingSettings

SPLITS: tuple[Split, ...] = ("train", "validation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(PackingSettings, args.settings)
    quiet_libraries()

    tokenizer = load_tokenizer(args.tokenizer.parent)
    counts: dict[str, int] = {}
    with new_directory(args.output.parent) as directory:
        for split in SPLITS:
            documents = (text for _, text in texts(args.corpus, split))
            blocks = pack(token_ids(tokenizer, documents), document_separator(tokenizer), settings.block_size)
            with TokenWriter(directory / f"{split}.arrow", ["input_ids"]) as writer:
                for block in blocks:
                    writer.add(input_ids=block)
            counts |= {f"{split}_blocks": writer.rows, f"{split}_tokens": writer.tokens}
        write_manifest(
            directory,
            inputs={"corpus": args.corpus, "tokenizer": args.tokenizer},
            counts=counts,
            settings=settings,
            packages=["tokenizers", "pyarrow"],
        )
    print(
        f"pretrain: {counts['train_blocks']:,} blocks of {settings.block_size} tokens to train on, "
        f"{counts['validation_blocks']:,} held out",
        flush=True,
    )


def token_ids(tokenizer: PreTrainedTokenizerFast, documents: Iterator[str]) -> Iterator[list[int]]:
    for document in documents:
        yield tokenizer.encode(document, add_special_tokens=False)


if __name__ == "__main__":
    run(main)
