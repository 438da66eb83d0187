r"""Pack the encoded corpus into blocks of tokens and decide their order, so that no GPU waits for either.

    python scripts/pretrain_data.py --settings '{"block_size": 512}' --seed 1 --sources news books --shards 4 \
        --tokens results/pretrain_tokens --corpus results/corpus/manifest.json \
        --tokenizer results/tokenizer/manifest.json --base-model results/base_model/manifest.json \
        --output results/pretrain_data/manifest.json

Writes train.arrow (input_ids), validation.arrow (input_ids, source; no block holds text of two sources) and order.npy,
a seeded permutation of the blocks to train on. With --sft-data, its examples to train on stand behind the corpus, each
as a document. With --replay, documents of these sources are drawn by lot until they make up their share of the tokens.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from lib.core.integrity import described_directory, require_intact
from lib.core.manifest import write_manifest
from lib.core.program import program_parser, run, say
from lib.corpus.storage.shards import shard_name
from lib.models.document_tokens import DocumentTokens, recorded_document_tokens
from lib.settings.base import from_json
from lib.settings.pretrain import PackingSettings
from lib.tokens.blocks import pack
from lib.tokens.document_shards import Documents, TokenIds
from lib.tokens.order import shuffled
from lib.tokens.token_files import TokenWriter, read_tokens

Streams = Mapping[str, Iterable[TokenIds]]
"""Documents by the source that they come from."""
INSTRUCTIONS = "sft examples"
"""What stands for the source of the next stage's examples; no source can be called so."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--replay", type=json.loads, default={}, help="JSON object: shares of the tokens by source")
    parser.add_argument(
        "--tokens", type=Path, default=Path("results/pretrain_tokens"), help="directory with SPLIT/SOURCE/SHARD.arrow"
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--base-model", type=Path, required=True, help="manifest.json that names the tokens between")
    parser.add_argument("--sft-data", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(PackingSettings, args.settings)
    tokenizer = Tokenizer.from_file(str(require_intact(args.tokenizer.with_name("tokenizer.json"))))
    document = recorded_document_tokens(args.base_model, tokenizer)

    def documents(split: str, source: str) -> Documents:
        return Documents([args.tokens / split / source / f"{shard_name(n)}.arrow" for n in range(args.shards)])

    with described_directory(args.output.parent) as directory:
        train = train_streams(
            {source: documents("train", source) for source in args.sources},
            args.replay,
            args.sft_data,
            args.seed,
            document,
        )
        train_tokens = write_train(directory / "train.arrow", train, document.between, settings.block_size)
        validation = {source: documents("validation", source) for source in args.sources}
        validation_tokens = write_validation(
            directory / "validation.arrow", validation, document.between, settings.block_size
        )
        rows = {split: len(read_tokens(directory / f"{split}.arrow")) for split in ("train", "validation")}
        np.save(directory / "order.npy", shuffled(rows["train"], rows["train"], args.seed), allow_pickle=False)
        inputs = {"corpus": args.corpus, "tokenizer": args.tokenizer, "base_model": args.base_model}
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
        say(f"pretrain: {source} makes up {found:.1%} of the tokens ({share:.1%} are asked for)")
    say(
        f"pretrain: {rows['train']:,} blocks of {settings.block_size} tokens to train on, "
        f"{rows['validation']:,} held out",
    )


def train_streams(
    corpus: Mapping[str, Documents],
    replay: Mapping[str, float],
    sft_data: Path | None,
    seed: int,
    document: DocumentTokens,
) -> Streams:
    """What is trained on: the corpus, then instructions, then the replayed sources.

    `replay` are the shares of all tokens that these sources get; `sft_data` is the manifest of the instruction data.
    """
    streams: dict[str, Iterable[TokenIds]] = {
        source: documents for source, documents in corpus.items() if source not in replay
    }
    between = len(document.between)
    tokens = sum(int(corpus[source].lengths.sum()) + between * len(corpus[source]) for source in streams)
    if sft_data:
        streams[INSTRUCTIONS] = instructions(sft_data.parent, document.start)
        if replay:
            tokens += sum(len(example) + between for example in instructions(sft_data.parent, document.start))
    for source, share in replay.items():
        streams[source] = drawn(corpus[source], round(tokens * share / (1 - sum(replay.values()))), seed, between)
    return streams


def instructions(directory: Path, start: Sequence[int]) -> Iterator[TokenIds]:
    """Every example to train on in the instruction data, as the model will read it in the next stage.

    Where the chat template writes the tokens that `start` a document, they are left off.
    """
    examples = read_tokens(directory / "train.arrow").with_format("numpy")
    for row in examples:
        starts = np.flatnonzero(row["position_ids"] == 0) if "position_ids" in row else np.zeros(1, np.int64)
        for example in np.split(row["input_ids"].astype(np.int32), starts[1:]):
            yield example[len(start) if tuple(example[: len(start)]) == tuple(start) else 0 :]


def drawn(documents: Documents, tokens: int, seed: int, between: int) -> Iterator[TokenIds]:
    """Documents in a random order up to `tokens`, with `between` of them before each; the last one is cut off."""
    for place in np.random.default_rng(seed).permutation(len(documents)):
        if tokens <= between:
            return
        document = documents[place][: tokens - between]
        tokens -= len(document) + between
        yield document


def write_train(path: Path, streams: Streams, between: Sequence[int], block_size: int) -> dict[str, int]:
    """Pack all streams in a row; returns the tokens of each, those `between` documents included."""
    tokens = dict.fromkeys(streams, 0)

    def counted() -> Iterator[TokenIds]:
        for source, documents in streams.items():
            for document in documents:
                tokens[source] += len(document) + len(between)
                yield document

    with TokenWriter(path, ["input_ids"]) as writer:
        for blocks in pack(counted(), between, block_size):
            writer.add_blocks(blocks)
    return tokens


def write_validation(path: Path, streams: Streams, between: Sequence[int], block_size: int) -> dict[str, int]:
    """Pack each stream by itself; returns its tokens, those `between` documents included."""
    tokens = dict.fromkeys(streams, 0)
    with TokenWriter(path, ["input_ids"], texts=["source"]) as writer:
        for source, documents in streams.items():
            for blocks in pack(documents, between, block_size):
                tokens[source] += blocks.size
                writer.add_blocks(blocks, source=source)
    return tokens


if __name__ == "__main__":
    run(main)
