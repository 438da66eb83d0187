"""Hold out part of one shard, without duplicates, for validation.

    python scripts/split.py --settings '{"validation_fraction": 0.05}' --seed 1 --source news --shard 0 \
        --directory results/corpus --output results/corpus/split/news/0000.json

Reads clean/SOURCE/SHARD.parquet, duplicates/SOURCE.parquet and shared_lines/SOURCE.parquet below the directory. Writes
validation/SOURCE/SHARD.parquet (columns id, text), emptied/SOURCE/SHARD.parquet (id, text: documents that are too short
without their shared lines), and the documents and characters of duplicates, by rule, of what shared lines do, and of
both splits into the output.
Of a cluster of near-duplicates one member is left, whose text alone decides: no cluster stands on both sides.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from lib.draws import are_held_out
from lib.errors import run
from lib.manifest import write_json
from lib.outputs import new_file
from lib.remaining import Remainder
from lib.settings.base import from_json
from lib.settings.corpus import SplitSettings
from lib.shard_batches import ShardWriter, batches
from lib.shards import Counts, add, describe_file, shard_name

DUPLICATES = ("exact_duplicate", "near_duplicate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--minimum-length", type=int, required=True, help="fewest characters of a document")
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(SplitSettings, args.settings)

    shard = f"{args.source}/{shard_name(args.shard)}.parquet"
    remainder = Remainder(args.directory, args.source, args.minimum_length)
    counts: Counts = {}
    path = args.directory / "validation" / shard
    with ExitStack() as stack:
        validation, emptied = (
            stack.enter_context(ShardWriter(stack.enter_context(new_file(target))))
            for target in (path, args.directory / "emptied" / shard)
        )
        for documents in batches(args.directory / "clean" / shard):
            remaining = remainder(documents)
            del documents  # one of 50 MB is held several times over as it is
            for rule in DUPLICATES:
                add(counts, rule, remaining.duplicates.filter(pl.col("rule") == rule))
            emptied.write(remaining.short)
            add(counts, "shared_lines", remaining.short, changed=remaining.changed, removed=remaining.removed)
            kept = remaining.kept
            held_out = pl.Series(are_held_out(kept["hash"], settings.validation_fraction, args.seed))
            add(counts, "train", kept.filter(~held_out))
            add(counts, "validation", kept.filter(held_out))
            validation.write(kept.filter(held_out).select("id", "text"))
            del remaining, kept
    counts["validation"] |= describe_file(path)
    with new_file(args.output) as output:
        write_json(output, counts)
    numbers = {name: f"{counts[name]['documents']:,}" for name in counts}
    print(
        f"corpus: split {args.source} {shard_name(args.shard)}: {numbers['train']} documents to train on, "
        f"{numbers['validation']} held out, {numbers['exact_duplicate']} exact and {numbers['near_duplicate']} "
        "near-duplicates left out",
        flush=True,
    )


if __name__ == "__main__":
    run(main)
