"""Split the documents of one shard into training and validation, without duplicates.

    python scripts/split.py --settings '{"validation_fraction": 0.05}' --seed 1 --source news --shard 0 \
        --directory results/corpus --output results/corpus/split/news/0000.json

Reads clean/SOURCE/SHARD.parquet and duplicates/SOURCE.parquet below the directory; writes train/SOURCE/SHARD.parquet
and validation/SOURCE/SHARD.parquet (columns id, text), and what they hold into the output.
"""

import argparse
import hashlib
from pathlib import Path

import polars as pl

from lib.errors import run
from lib.manifest import write_json
from lib.outputs import new_file
from lib.settings.base import from_json
from lib.settings.corpus import SplitSettings
from lib.shards import count_characters, describe_shard, shard_name, write_shard

SPLITS = ("train", "validation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(SplitSettings, args.settings)

    shard = f"{args.source}/{shard_name(args.shard)}.parquet"
    documents = pl.read_parquet(args.directory / "clean" / shard)
    duplicates = pl.read_parquet(args.directory / "duplicates" / f"{args.source}.parquet", columns=["id"])
    is_duplicate = documents["id"].is_in(duplicates["id"].implode())
    unique = documents.filter(~is_duplicate)
    held_out = is_held_out(unique["hash"], settings.validation_fraction, args.seed)

    counts = {
        "duplicates": {
            "documents": int(is_duplicate.sum()),
            "characters": count_characters(documents.filter(is_duplicate)["text"]),
        }
    }
    for split, members in zip(SPLITS, (unique.filter(~held_out), unique.filter(held_out)), strict=True):
        path = args.directory / split / shard
        write_shard(members.select("id", "text"), path)
        counts[split] = describe_shard(members, path)
    with new_file(args.output) as output:
        write_json(output, counts)
    train, validation, dropped = (f"{counts[what]['documents']:,}" for what in (*SPLITS, "duplicates"))
    print(
        f"corpus: split {args.source} {shard_name(args.shard)}: "
        f"{train} documents to train on, {validation} held out, {dropped} duplicates",
        flush=True,
    )


def is_held_out(hashes: pl.Series, fraction: float, seed: int) -> pl.Series:
    """Whether each document, given by the hash of its text, belongs to validation.

    It hangs on the text and the seed alone: not on the other documents, their order or the number of shards.
    """
    bound = int(fraction * 2**64)
    draws = [hashlib.blake2b(f"{seed}:{text_hash}".encode(), digest_size=8).digest() for text_hash in hashes]
    return pl.Series([int.from_bytes(draw) < bound for draw in draws], dtype=pl.Boolean)


if __name__ == "__main__":
    run(main)
