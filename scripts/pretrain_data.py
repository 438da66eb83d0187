"""Pack the encoded corpus into blocks of tokens and decide their order, so that no GPU waits for either.

    python scripts/pretrain_data.py --settings '{"block_size": 512}' --seed 1 --sources news books --shards 4 \
        --tokens results/pretrain_tokens --corpus results/corpus/manifest.json \
        --tokenizer results/tokenizer/manifest.json --output results/pretrain_data/manifest.json

Writes train.arrow (input_ids), validation.arrow (input_ids, source; no block holds text of two sources) and order.npy,
a seeded permutation of the blocks to train on. With --sft-data, its examples to train on stand behind the corpus, each
as a document. With --replay, documents of these sources are drawn by lot until they make up their share of the tokens.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from lib.core.errors import run
from lib.core.manifest import write_manifest
from lib.core.outputs import new_directory, read_json
from lib.corpus.storage.shards import shard_name
from lib.models.loading import document_separator, load_tokenizer, quiet_libraries
from lib.settings.base import from_json
from lib.settings.pretrain import PackingSettings
from lib.tokens.blocks import pack
from lib.tokens.documents import Documents, TokenIds
from lib.tokens.order import shuffled
from lib.tokens.rows import TokenWriter, read_tokens

Streams = Mapping[str, Iterable[TokenIds]]
"""Documents by the source that they come from."""
INSTRUCTIONS = "sft examples"
"""What stands for the source of the next stage's examples; no source can be called so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--replay", type=json.loads, default={}, help="JSON object: shares of the tokens by source")
    parser.add_argument("--tokens", type=Path, required=True, help="directory with SPLIT/SOURCE/SHARD.arrow")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--sft-data", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(PackingSettings, args.settings)
    quiet_libraries()
    separator = document_separator(load_tokenizer(args.tokenizer.parent))

    def documents(split: str, source: str) -> Documents:
        return Documents([args.tokens / split / source / f"{shard_name(n)}.arrow" for n in range(args.shards)])

    with new_directory(args.output.parent) as directory:
        train = train_streams(
            {source: documents("train", source) for source in args.sources}, args.replay, args.sft_data, args.seed
        )
        train_tokens = write_train(directory / "train.arrow", train, separator, settings.block_size)
        validation = {source: documents("validation", source) for source in args.sources}
        validation_tokens = write_validation(directory / "validation.arrow", validation, separator, settings.block_size)
        rows = {split: len(read_tokens(directory / f"{split}.arrow")) for split in ("train", "validation")}
        np.save(directory / "order.npy", shuffled(rows["train"], rows["train"], args.seed), allow_pickle=False)
        inputs = {"corpus": args.corpus, "tokenizer": args.tokenizer}
        write_manifest(
            directory,
            inputs=inputs | ({"sft_data": args.sft_data} if args.sft_data else {}),
            counts={
                "train_blocks": rows["train"],
                "train_tokens": sum(train_tokens.values()),
                "validation_blocks": rows["validation"],
                "validation_tokens": sum(validation_tokens.values()),
            },
            settings=settings,
            seed=args.seed,
            packages=["tokenizers", "pyarrow", "numpy"],
            facts={"train_tokens": train_tokens, "validation_tokens": validation_tokens},
        )
    for source, share in args.replay.items():
        found = train_tokens[source] / sum(train_tokens.values())
        print(f"pretrain: {source} makes up {found:.1%} of the tokens ({share:.1%} are asked for)", flush=True)
    print(
        f"pretrain: {rows['train']:,} blocks of {settings.block_size} tokens to train on, "
        f"{rows['validation']:,} held out",
        flush=True,
    )


def train_streams(
    corpus: Mapping[str, Documents], replay: Mapping[str, float], sft_data: Path | None, seed: int
) -> Streams:
    """What is trained on: the corpus, then instructions, then the replayed sources.

    `replay` are the shares of all tokens that these sources get; `sft_data` is the manifest of the instruction data.
    """
    streams: dict[str, Iterable[TokenIds]] = {
        source: documents for source, documents in corpus.items() if source not in replay
    }
    # Each document has a separator before it.
    tokens = sum(int(corpus[source].lengths.sum()) + len(corpus[source]) for source in streams)
    if sft_data:
        streams[INSTRUCTIONS] = instructions(sft_data.parent)
        counts = read_json(sft_data)["counts"]
        tokens += counts["train_tokens"] + counts["train"]
    for source, share in replay.items():
        streams[source] = drawn(corpus[source], round(tokens * share / (1 - sum(replay.values()))), seed)
    return streams


def instructions(directory: Path) -> Iterator[TokenIds]:
    """Every example to train on in the instruction data, as the model will read it in the next stage."""
    examples = read_tokens(directory / "train.arrow").with_format("numpy")
    for row in examples:
        starts = np.flatnonzero(row["position_ids"] == 0) if "position_ids" in row else np.zeros(1, np.int64)
        yield from np.split(row["input_ids"].astype(np.int32), starts[1:])


def drawn(documents: Documents, tokens: int, seed: int) -> Iterator[TokenIds]:
    """Documents in a random order up to `tokens`, separators included; the last one is cut off there."""
    for place in np.random.default_rng(seed).permutation(len(documents)):
        if tokens < 2:
            return
        document = documents[place][: tokens - 1]
        tokens -= len(document) + 1
        yield document


def write_train(path: Path, streams: Streams, separator: int, block_size: int) -> dict[str, int]:
    """Pack all streams in a row; returns the tokens of each, separators included."""
    tokens = dict.fromkeys(streams, 0)

    def counted() -> Iterator[TokenIds]:
        for source, documents in streams.items():
            for document in documents:
                tokens[source] += len(document) + 1
                yield document

    with TokenWriter(path, ["input_ids"]) as writer:
        for blocks in pack(counted(), separator, block_size):
            writer.add_blocks(blocks)
    return tokens


def write_validation(path: Path, streams: Streams, separator: int, block_size: int) -> dict[str, int]:
    """Pack each stream by itself; returns its tokens, separators included."""
    tokens = dict.fromkeys(streams, 0)
    with TokenWriter(path, ["input_ids"], texts=["source"]) as writer:
        for source, documents in streams.items():
            for blocks in pack(documents, separator, block_size):
                tokens[source] += blocks.size
                writer.add_blocks(blocks, source=source)
    return tokens


if __name__ == "__main__":
    run(main)
