r"""Divide one shard, without duplicates, into text to train on and text that is held out.

    python scripts/split.py --settings '{"validation_fraction": 0.05}' --seed 1 --minimum-length 100 \
        --source news --shard 0 --directory results/corpus --output results/corpus/split/news/0000.json

Reads clean/SOURCE/SHARD.parquet, duplicates/SOURCE.parquet, shared_lines/SOURCE.parquet and mix/SOURCE.json below the
directory. Writes train/ and validation/SOURCE/SHARD.parquet (columns id, text; training documents as often as the mix
says), emptied/SOURCE/SHARD.parquet (id, text: documents that are too short without their shared lines), and, into the
output, the documents and characters of duplicates, by rule, of what shared lines and the mix do, and of both splits.
Of a cluster of near-duplicates one member is left, whose text alone decides: no cluster stands on both sides.
"""

from contextlib import ExitStack
from pathlib import Path

import polars as pl

from lib.core.outputs import new_file, read_json, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.split.removal import Remainder
from lib.corpus.split.sampling import are_held_out, mixed
from lib.corpus.storage.batches import ShardWriter, batches
from lib.corpus.storage.shards import Counts, add, describe_file, shard_name
from lib.settings.base import from_json
from lib.settings.corpus import SplitSettings

SPLITS = ("train", "validation")
DUPLICATES = ("exact_duplicate", "near_duplicate")


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--minimum-length", type=int, required=True, help="fewest characters of a document")
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--directory", type=Path, default=Path("results/corpus"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(SplitSettings, args.settings)

    shard = f"{args.source}/{shard_name(args.shard)}.parquet"
    remainder = Remainder(args.directory, args.source, args.minimum_length)
    mix = read_json(args.directory / "mix" / f"{args.source}.json")
    counts: Counts = {}
    paths = {split: args.directory / split / shard for split in SPLITS}
    with ExitStack() as stack:
        train, validation, emptied = (
            stack.enter_context(ShardWriter(stack.enter_context(new_file(target))))
            for target in (*paths.values(), args.directory / "emptied" / shard)
        )
        for documents in batches(args.directory / "clean" / shard):
            remaining = remainder(documents)
            del documents  # one of 50 MB is held several times over as it is
            for rule in DUPLICATES:
                add(counts, rule, remaining.duplicates.filter(pl.col("rule") == rule))
            emptied.write(remaining.short)
            add(counts, "shared_lines", remaining.short, changed=remaining.changed, removed=remaining.removed)
            kept = remaining.kept
            del remaining
            is_held_out = pl.Series(
                are_held_out(kept["hash"], settings.validation_fraction, args.seed, mix["held_out"])
            )
            held_out = kept.filter(is_held_out).select("id", "text")
            add(counts, "validation", held_out)
            validation.write(held_out)
            kept = kept.filter(~is_held_out)
            add(counts, "before_mix", kept)
            taken = mixed(kept, mix, args.seed, counts)
            del kept, held_out
            add(counts, "train", taken)
            train.write(taken)
            del taken
    for split, path in paths.items():
        counts[split] |= describe_file(path)
    with new_file(args.output) as output:
        write_json(output, counts)
    numbers = {name: f"{counts[name]['documents']:,}" for name in counts}
    say(
        f"corpus: split {args.source} {shard_name(args.shard)}: {numbers['train']} documents to train on, "
        f"{numbers['validation']} held out, {numbers['exact_duplicate']} exact and {numbers['near_duplicate']} "
        "near-duplicates left out",
    )


if __name__ == "__main__":
    run(main)
