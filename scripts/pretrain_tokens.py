r"""Encode the documents of one shard of one source, so that a large corpus is encoded on many cores.

    python scripts/pretrain_tokens.py --tokenizer results/tokenizer/manifest.json \
        --train results/corpus/train/news/0000.parquet --validation results/corpus/validation/news/0000.parquet \
        --train-output results/pretrain_tokens/train/news/0000.arrow \
        --validation-output results/pretrain_tokens/validation/news/0000.arrow
"""

import re
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from lib.core.integrity import require_intact
from lib.core.outputs import new_file
from lib.core.program import program_parser, run, say
from lib.corpus.storage.batches import batches
from lib.corpus.storage.shards import require_counted
from lib.tokens.document_shards import DocumentWriter

DOCUMENTS_AT_A_TIME = 1_000


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    for split in ("train", "validation"):
        parser.add_argument(f"--{split}", type=Path, required=True, help="shard of documents")
        parser.add_argument(f"--{split}-output", type=Path, required=True)
    args = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(require_intact(args.tokenizer.with_name("tokenizer.json"))))
    tokens = {
        "train": encode(tokenizer, args.train, args.train_output),
        "validation": encode(tokenizer, args.validation, args.validation_output),
    }
    say(
        f"pretrain: {args.train.parent.name} {args.train.stem}: {tokens['train']:,} tokens to train on, "
        f"{tokens['validation']:,} held out",
    )


def encode(tokenizer: Tokenizer, shard: Path, output: Path) -> int:
    """Write the tokens of every document of `shard`, without special ones; returns their number."""
    tokens = 0
    with new_file(output) as path, DocumentWriter(path) as writer:
        for frame in batches(require_counted(shard)):
            for part in frame.iter_slices(DOCUMENTS_AT_A_TIME):
                encoded = tokenizer.encode_batch_fast(part["text"].to_list(), add_special_tokens=False)
                documents = [np.asarray(encoding.ids, np.int32) for encoding in encoded]
                writer.write([number_of(name) for name in part["id"]], documents)
                tokens += sum(map(len, documents))
    return tokens


def number_of(document_id: str) -> int:
    """Number of a document in its source, which its id ends with (`source:00000012`, or `…#2` for a second copy)."""
    found = re.search(r":(\d+)(?:#\d+)?$", document_id)
    assert found, document_id
    return int(found[1])


if __name__ == "__main__":
    run(main)
