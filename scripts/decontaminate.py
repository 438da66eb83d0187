"""Write the training text of one shard: what is neither a duplicate, nor held out, nor repeats what is held out.

    python scripts/decontaminate.py --settings '{"decontamination_ngram": 50}' --split '{"validation_fraction": 0.05}' \
        --seed 1 --minimum-length 100 --source news --shard 0 --directory results/corpus \
        --output results/corpus/train/news/0000.json

Reads clean/SOURCE/SHARD.parquet, duplicates/SOURCE.parquet, shared_lines/SOURCE.parquet, mix/SOURCE.json and held_out/
below the directory. Writes train/SOURCE/SHARD.parquet (columns id, text; a document that is taken twice has ids that
end in nothing and #2), contaminated/SOURCE/SHARD.parquet (id, ngram, held_out: whose it is), and counts, by rule, into
the output.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lib.draws import are_held_out, copies, places
from lib.errors import run
from lib.held_out import Contamination, Index
from lib.manifest import read_json, write_json
from lib.outputs import new_file
from lib.remaining import Remainder
from lib.settings.base import from_json
from lib.settings.corpus import DecontaminationSettings, SplitSettings
from lib.shard_batches import ShardWriter, batches
from lib.shards import Counts, add, describe_file, shard_name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--split", required=True, help="settings of the split")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--minimum-length", type=int, required=True, help="fewest characters of a document")
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(DecontaminationSettings, args.settings)
    fraction = from_json(SplitSettings, args.split).validation_fraction

    shard = f"{args.source}/{shard_name(args.shard)}.parquet"
    remainder = Remainder(args.directory, args.source, args.minimum_length)
    mix = read_json(args.directory / "mix" / f"{args.source}.json")
    contamination = Contamination(Index.load(args.directory / "held_out"), settings.decontamination_ngram)
    counts: Counts = {}
    path = args.directory / "train" / shard
    with ExitStack() as stack:
        train, listed = (
            stack.enter_context(ShardWriter(stack.enter_context(new_file(target))))
            for target in (path, args.directory / "contaminated" / shard)
        )
        for documents in batches(args.directory / "clean" / shard):
            kept = remainder(documents).kept
            del documents  # one of 50 MB is held several times over as it is
            kept = kept.filter(pl.Series(~are_held_out(kept["hash"], fraction, args.seed)))
            taken = take(kept, mix, args.seed, counts)
            del kept
            found = contamination(taken["text"])
            is_found = pl.int_range(len(taken), eager=True).is_in(found["row"].implode())
            add(counts, "contaminated", taken.filter(is_found))
            listed.write(found.select(taken["id"].gather(found["row"]).alias("id"), "ngram", "held_out"))
            once = taken.filter(~is_found)
            del taken
            add(counts, "repeat", repeat(once.with_columns(pl.col("times") - 1)))
            repeated = repeat(once)
            del once
            add(counts, "train", repeated)
            train.write(repeated)
            del repeated
    counts["train"] |= describe_file(path)
    with new_file(args.output) as output:
        write_json(output, counts)
    print(
        f"corpus: decontaminate {args.source} {shard_name(args.shard)}: "
        f"{counts['contaminated']['documents']:,} documents repeat held-out text; "
        f"{counts['train']['documents']:,} documents to train on",
        flush=True,
    )


def take(documents: pl.DataFrame, mix: dict[str, Any], seed: int, counts: Counts) -> pl.DataFrame:
    """The documents that are trained on, with a column `times`; adds what is left out to `counts`."""
    times = copies(documents["hash"], mix["weight"], seed)
    queue = places(documents["hash"], seed)
    in_time = queue < mix["before"] if mix["before"] is not None else np.ones(len(queue), bool)
    add(counts, "weight", documents.filter(pl.Series(times == 0)))
    add(counts, "max_characters", documents.filter(pl.Series((times > 0) & ~in_time)))
    return documents.with_columns(times=pl.Series(times)).filter(pl.Series((times > 0) & in_time))


def repeat(documents: pl.DataFrame) -> pl.DataFrame:
    """Columns id and text of `documents`, each as often as its column `times` says, with ids of their own."""
    documents = documents.filter(pl.col("times") > 0)
    if (documents["times"] == 1).all():
        return documents.select("id", "text")
    copy = pl.int_ranges(1, pl.col("times") + 1)
    suffix = pl.when(pl.col("copy") > 1).then(pl.format("#{}", "copy")).otherwise(pl.lit(""))
    return documents.with_columns(copy=copy).explode("copy").select(pl.col("id") + suffix, "text")


if __name__ == "__main__":
    run(main)
