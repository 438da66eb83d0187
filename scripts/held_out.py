r"""Index the n-grams of all text that training must not repeat: validation, instruction sets, benchmarks.

    python scripts/held_out.py --settings '{"decontamination_ngram": 50}' --reading '{}' --sources books news \
        --shards 4 --directory results/corpus --sets '[{"name": "demo", "uri": "…"}]' --downloads work/downloads \
        --benchmarks data/ceval.jsonl --output results/corpus/held_out/manifest.json

Reads validation/SOURCE/SHARD.parquet below the directory. All instruction records count, not only those that will be
held out: which ones these are depends on the tokenizer, which depends on the corpus: a cycle. Writes the index and
quarantine.parquet: the records of benchmarks that cannot be read (file, position, reason, the first characters).
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from lib.core.errors import UserError, about
from lib.core.integrity import described_directory
from lib.core.manifest import write_manifest
from lib.core.program import program_parser, run, say
from lib.corpus.duplicates.contamination import benchmark_texts, index_texts
from lib.corpus.reading.documents import Reading
from lib.corpus.storage.batches import batches
from lib.corpus.storage.quarantine import Quarantine
from lib.corpus.storage.shards import shard_paths
from lib.files.formats import choose_formats, conversions
from lib.files.text_files import Broken
from lib.settings.base import from_json
from lib.settings.corpus import DecontaminationSettings, ReadingLimits, ReadingSettings
from lib.sft.conversations import Conversation
from lib.sft.instructions import opened_sets
from lib.sources.data_sets import ALL
from lib.sources.listing import fetched_source_files, shown_name


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--reading", required=True, help="how files are read, as JSON")
    parser.add_argument("--sources", nargs="*", default=[])
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--directory", type=Path, default=Path("results/corpus"))
    parser.add_argument("--sets", type=json.loads, default=[], help="JSON list of rows of the sheet, as objects")
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--benchmarks", nargs="*", default=[], help="addresses of files")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(DecontaminationSettings, args.settings)
    reading = from_json(ReadingSettings, args.reading)

    shards = [
        path for source in args.sources for path in shard_paths(args.directory / "validation" / source, args.shards)
    ]
    with described_directory(args.output.parent) as directory:
        with Quarantine(directory / "quarantine.parquet") as quarantine:
            texts = chain(
                corpus_texts(shards),
                instruction_texts(args.sets, args.downloads, reading),
                readable_texts(args.benchmarks, args.downloads, reading, quarantine),
            )
            index = index_texts(texts, settings.decontamination_ngram)
        index.save(directory)
        write_manifest(
            directory,
            inputs={},
            counts={"texts": len(index.names), "ngrams": len(index.hashes), "quarantined": quarantine.records},
            settings=settings,
        )
    say(f"corpus: held_out: {len(index.names):,} texts, {len(index.hashes):,} n-grams")
    if quarantine.records:
        say(
            f"corpus: held_out: {quarantine.records:,} records of benchmarks in quarantine; the first one: "
            f"{quarantine.first}",
        )


def corpus_texts(shards: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """(id, text) of every document in `shards`."""
    for path in shards:
        for documents in batches(path):
            yield from documents.select("id", "text").iter_rows()


def instruction_texts(sets: list[dict[str, Any]], downloads: Path, limits: ReadingLimits) -> Iterator[tuple[str, str]]:
    """(name, text) of everything that is said in instructions. The stage sft reports the records that are broken."""
    with ExitStack() as files:
        for one in opened_sets(sets, downloads, limits, files):
            for record in one.records():
                if isinstance(record.found, Conversation):
                    for text in record.found.texts():
                        yield f"instructions/{record.id}", text


def readable_texts(
    benchmarks: Iterable[str], downloads: Path, settings: ReadingSettings, quarantine: Quarantine
) -> Iterator[tuple[str, str]]:
    """(name, text) of every text at the addresses of benchmarks; broken records are put into `quarantine`."""
    reading = Reading(settings, scratch=downloads / "benchmarks.unpacked")
    for uri in benchmarks:
        with about("corpus.benchmarks"), fetched_source_files(uri, downloads, "", ALL) as files:
            formats, ignored = choose_formats(list(files), uri, "")
            if ignored:
                say(
                    f"corpus: held_out: {uri}: {len(ignored)} files are of no known format and left out"
                    + conversions(ignored)
                )
            for name, file_format in formats.items():
                shown = shown_name(uri, name, files[name], downloads)
                texts, first = 0, ""
                for found in benchmark_texts(Path(files[name]), file_format, shown, reading):
                    if isinstance(found, Broken):
                        quarantine.put(shown, found)
                        first = first or f"{found.position}: {found.reason}"
                    else:
                        texts += 1
                        yield found
                if first and not texts:
                    raise UserError(f"{shown}: no record can be read; the first one: {first}")


if __name__ == "__main__":
    run(main)
