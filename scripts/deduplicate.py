r"""Find a source's duplicates, exact and near, among its own documents and in the sources that are preferred to it.

    python scripts/deduplicate.py --settings '{"near_duplicate_similarity": 0.8}' --sources books news --shards 4 \
        --directory results/corpus --output results/corpus/duplicates/news.parquet

The last of `--sources` is the one to look at; the others come before it in the sheet. Reads
signatures/SOURCE/SHARD.parquet below the directory. Columns of the output: id, duplicate_of (a preferred document of
the same cluster; when it stands in another source it may be a duplicate itself), rule, similarity.
"""

from pathlib import Path

import polars as pl

from lib.core.outputs import scratch_directory
from lib.core.program import program_parser, run, say
from lib.corpus.duplicates.clusters import find_duplicates
from lib.corpus.storage.shards import document_id, shard_paths, write_shard
from lib.settings.base import from_json
from lib.settings.corpus import DeduplicationSettings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--directory", type=Path, default=Path("results/corpus"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(DeduplicationSettings, args.settings)

    files = [shard_paths(args.directory / "signatures" / source, args.shards) for source in args.sources]
    similarity = settings.near_duplicate_similarity if settings.near_duplicates else None
    with scratch_directory(args.output.with_name(f".{args.output.stem}.pairs")) as scratch:
        found = find_duplicates(files, similarity, scratch)
    write_shard(name_documents(found, args.sources), args.output)
    exact = (found["rule"] == "exact_duplicate").sum()
    say(
        f"corpus: deduplicate {args.sources[-1]}: {exact:,} exact duplicates, {len(found) - exact:,} near-duplicates",
    )


def name_documents(found: pl.DataFrame, sources: list[str]) -> pl.DataFrame:
    """`found` with ids instead of numbers."""
    originals = zip(found["source"], found["original"], strict=True)
    ids = {
        "id": [document_id(sources[-1], number) for number in found["number"]],
        "duplicate_of": [document_id(sources[source], number) for source, number in originals],
    }
    return pl.DataFrame(ids, schema=dict.fromkeys(ids, pl.String)).hstack(found.select("rule", "similarity"))


if __name__ == "__main__":
    run(main)
