r"""Find the lines that many documents of one source share, so that they can be dropped.

    python scripts/shared_lines.py --settings '{"shared_line_share": 0.05}' --source news --shards 4 \
        --directory results/corpus --output results/corpus/shared_lines/news.parquet

Reads lines/SOURCE/SHARD.parquet, duplicates/SOURCE.parquet (a line in a hundred copies of one document stands in one
document) and, for examples, clean/SOURCE/SHARD.parquet below the directory. Columns of the output: line (hash),
documents that have it, text (the line as the first of them has it).
"""

import math
from pathlib import Path

import polars as pl

from lib.core.program import program_parser, run, say
from lib.corpus.duplicates.shared_lines import find_shared, with_examples
from lib.corpus.storage.shards import count_rows, read_shard, shard_paths, write_shard
from lib.settings.base import from_json
from lib.settings.corpus import SharedLineSettings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--directory", type=Path, default=Path("results/corpus"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(SharedLineSettings, args.settings)

    lines, clean = (shard_paths(args.directory / folder / args.source, args.shards) for folder in ("lines", "clean"))
    ids = read_shard(args.directory / "duplicates" / f"{args.source}.parquet", columns=["id"])["id"]
    duplicates = ids.str.extract(r":(\d+)$").cast(pl.UInt64)
    documents = sum(count_rows(path) for path in clean) - len(duplicates)
    least = max(settings.shared_line_documents, math.ceil(settings.shared_line_share * documents))
    found = find_shared(lines if settings.strip_shared_lines else [], duplicates, least)
    write_shard(with_examples(found, args.source, clean), args.output)
    say(
        f"corpus: shared lines {args.source}: {len(found):,} lines, in {least:,} or more of {documents:,} documents",
    )


if __name__ == "__main__":
    run(main)
