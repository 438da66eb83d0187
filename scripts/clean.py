"""Clean the documents of one shard.

    python scripts/clean.py --settings '{"minimum_length": 100}' --source news --shard 0 --directory results/corpus \
        --output results/corpus/clean/news/0000.json

Reads raw/SOURCE/SHARD.parquet below the directory. Writes clean/SOURCE/SHARD.parquet (columns id, text, hash),
dropped/SOURCE/SHARD.parquet (id, rule that dropped the document, value that it measured, text), and what each rule
did, in documents and characters, into the output.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import polars as pl

from lib.cleaning import clean
from lib.deduplication import text_hashes
from lib.errors import run
from lib.manifest import write_json
from lib.outputs import new_file
from lib.settings.base import from_json
from lib.settings.corpus import CleaningSettings
from lib.shards import shard_name, write_shard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(CleaningSettings, args.settings)

    shard = f"{args.source}/{shard_name(args.shard)}.parquet"
    documents = pl.read_parquet(args.directory / "raw" / shard)
    cleaned = clean(documents, settings)
    write_shard(
        cleaned.kept.with_columns(text_hashes(cleaned.kept["text"])),
        args.directory / "clean" / shard,
    )
    write_shard(cleaned.dropped, args.directory / "dropped" / shard)
    with new_file(args.output) as output:
        write_json(output, {rule: asdict(counts) for rule, counts in cleaned.counts.items()})
    print(
        f"corpus: clean {args.source} {shard_name(args.shard)}: {len(documents):,} documents read, "
        f"{len(cleaned.kept):,} kept",
        flush=True,
    )


if __name__ == "__main__":
    run(main)
