"""Find a source's exact duplicates, among its own documents and in the sources that are preferred to it.

    python scripts/deduplicate.py --sources books news --shards 4 --directory results/corpus \
        --output results/corpus/duplicates/news.parquet

The last of `--sources` is the one to look at; the others come before it in the sheet. Reads the columns id and hash of
clean/SOURCE/SHARD.parquet below the directory. The output has the columns id and duplicate_of.
"""

import argparse
from pathlib import Path

import polars as pl

from lib.deduplication import find_duplicates
from lib.errors import run
from lib.shards import shard_paths, write_shard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()

    hashes = [
        pl.read_parquet(path, columns=["id", "hash"]).with_columns(source=pl.lit(source))
        for source in args.sources
        for path in shard_paths(args.directory / "clean" / source, args.shards)
    ]
    documents = pl.concat(hashes)
    source = args.sources[-1]
    duplicates = find_duplicates(documents, source)
    write_shard(duplicates, args.output)
    number = documents.filter(pl.col("source") == source).height
    print(f"corpus: deduplicate {source}: {len(duplicates):,} of {number:,} documents are duplicates", flush=True)


if __name__ == "__main__":
    run(main)
