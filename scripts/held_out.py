"""Index the n-grams of all text that training must not repeat: validation, instruction sets, benchmarks.

    python scripts/held_out.py --settings '{"decontamination_ngram": 50}' --sources books news --shards 4 \
        --directory results/corpus --sets '[{"name": "demo", "uri": "…"}]' --downloads work/downloads \
        --benchmarks data/ceval.jsonl --output results/corpus/held_out/manifest.json

Reads validation/SOURCE/SHARD.parquet below the directory. All instruction records count, not only those that will be
held out: which ones these are hangs on the tokenizer, which hangs on the corpus.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lib.core.errors import run
from lib.core.manifest import write_manifest
from lib.core.outputs import new_directory
from lib.corpus.duplicates.contamination import benchmark_texts, index_texts
from lib.corpus.storage.batches import batches
from lib.corpus.storage.shards import shard_paths
from lib.settings.base import from_json
from lib.settings.corpus import DecontaminationSettings
from lib.sft.instructions import opened_sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--sources", nargs="*", default=[])
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--sets", type=json.loads, default=[], help="JSON list of rows of the sheet, as objects")
    parser.add_argument("--downloads", type=Path, required=True)
    parser.add_argument("--benchmarks", nargs="*", type=Path, default=[])
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(DecontaminationSettings, args.settings)

    shards = [
        path for source in args.sources for path in shard_paths(args.directory / "validation" / source, args.shards)
    ]
    index = index_texts(all_texts(shards, args.sets, args.downloads, args.benchmarks), settings.decontamination_ngram)
    with new_directory(args.output.parent) as directory:
        index.save(directory)
        write_manifest(
            directory, inputs={}, counts={"texts": len(index.names), "ngrams": len(index.hashes)}, settings=settings
        )
    print(f"corpus: held_out: {len(index.names):,} texts, {len(index.hashes):,} n-grams", flush=True)


def all_texts(
    shards: list[Path], sets: list[dict[str, Any]], downloads: Path, benchmarks: list[Path]
) -> Iterator[tuple[str, str]]:
    """(name, text) of everything that training must not repeat."""
    for path in shards:
        for documents in batches(path):
            yield from documents.select("id", "text").iter_rows()
    with ExitStack() as files:
        for one in opened_sets(sets, downloads, files):
            for number, (_, conversation) in enumerate(one.conversations()):
                for text in conversation.texts():
                    yield f"instructions/{one.name}:{number:08d}", text
    for path in benchmarks:
        yield from benchmark_texts(path)


if __name__ == "__main__":
    run(main)
