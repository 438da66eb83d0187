r"""Take what repeats held-out text out of the training text of one shard.

    python scripts/decontaminate.py --settings '{"decontamination_ngram": 50}' --source news --shard 0 \
        --directory results/corpus --output results/corpus/decontaminated/news/0000.json

Reads train/SOURCE/SHARD.parquet and held_out/ below the directory. Writes decontaminated/SOURCE/SHARD.parquet (columns
id, text), contaminated/SOURCE/SHARD.parquet (id, ngram, held_out: whose it is), and counts of both into the output.
"""

from contextlib import ExitStack
from pathlib import Path

import polars as pl

from lib.core.outputs import new_file, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.duplicates.contamination import Contamination, Index
from lib.corpus.storage.batches import ShardWriter, batches
from lib.corpus.storage.shards import Counts, add, describe_file, require_counted, shard_name
from lib.settings.base import from_json
from lib.settings.corpus import DecontaminationSettings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--directory", type=Path, default=Path("results/corpus"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(DecontaminationSettings, args.settings)

    shard = f"{args.source}/{shard_name(args.shard)}.parquet"
    contamination = Contamination(Index.load(args.directory / "held_out"), settings.decontamination_ngram)
    counts: Counts = {}
    path = args.directory / "decontaminated" / shard
    with ExitStack() as stack:
        clear, listed = (
            stack.enter_context(ShardWriter(stack.enter_context(new_file(target))))
            for target in (path, args.directory / "contaminated" / shard)
        )
        for documents in batches(require_counted(args.directory / "train" / shard)):
            found = contamination(documents["text"])
            is_found = pl.int_range(len(documents), eager=True).is_in(found["row"].implode())
            add(counts, "contaminated", documents.filter(is_found))
            listed.write(found.select(documents["id"].gather(found["row"]).alias("id"), "ngram", "held_out"))
            left = documents.filter(~is_found)
            del documents  # one of 50 MB is held several times over as it is
            add(counts, "train", left)
            clear.write(left)
            del left
    counts["train"] |= describe_file(path)
    with new_file(args.output) as output:
        write_json(output, counts)
    say(
        f"corpus: decontaminate {args.source} {shard_name(args.shard)}: "
        f"{counts['contaminated']['documents']:,} documents repeat held-out text; "
        f"{counts['train']['documents']:,} documents to train on",
    )


if __name__ == "__main__":
    run(main)
