r"""Fetch a source of text, read its documents and deal them round robin into Parquet shards.

    python scripts/fetch.py --settings '{}' --source '{"name": "news", "uri": "data/news.jsonl"}' --shards 4 \
        --output results/corpus/raw/news.json

Writes the shards into the folder beside the output that is named like it: results/corpus/raw/news/0000.parquet, …,
with the columns id and text. Records that cannot be read go into quarantine/news.parquet beside the folder raw
(file, position, reason, the first characters), and files/news.parquet describes each file. The output itself counts
documents, characters, what was left out and what was divided.

With --part 2-of-4, reads the second quarter of the source, for an output raw/news/2-of-4.json; gather.py then brings
the parts together. Documents are numbered and dealt as if the part were the source.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from lib.core.errors import UserError
from lib.core.outputs import new_directory, new_file, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.fetching.facts import FILES, Facts, tell
from lib.corpus.fetching.parts import WHOLE, Part, files_of_part
from lib.corpus.reading.chapters import divided
from lib.corpus.reading.documents import Reading, read_documents
from lib.corpus.storage.batches import TableWriter
from lib.corpus.storage.quarantine import Quarantine
from lib.corpus.storage.shards import deal, shard_paths
from lib.files.decoding import chosen_encoding, readable_name
from lib.files.formats import ARCHIVES, check_format, choose_formats, conversions
from lib.files.spans import Span
from lib.files.text_files import Broken, Seen
from lib.settings.base import from_json
from lib.settings.corpus import FetchSettings
from lib.settings.sheets import Source
from lib.sources.listing import fetched_source_files, listing_fingerprint


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--source", required=True, help="row of the sheet, as a JSON object")
    parser.add_argument("--shards", type=int, required=True, help="number of shards to deal into")
    parser.add_argument("--part", default=str(WHOLE), help="part of the source that is read, such as 2-of-4")
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(FetchSettings, args.settings)
    source = Source(**json.loads(args.source))
    part = Part.parse(args.part)
    place, corpus = Path(source.name), args.output.parents[1]
    if part != WHOLE:
        place, corpus = place / str(part), args.output.parents[2]
    if source.format:
        check_format(source.format)
    reading = Reading(
        settings,
        scratch=args.downloads / f"{'.'.join(place.parts)}.unpacked",
        text_field=source.text_field,
        encoding=chosen_encoding(source.encoding) if source.encoding else "",
        member_format="" if source.format in ARCHIVES else source.format,
    )

    say(f"corpus: fetch {place}: fetching {source.uri}")
    # Whether files have changed is known before anything is published.
    with ExitStack() as outputs, fetched_source_files(source.uri, args.downloads, source.sha256) as files:
        formats, ignored = choose_formats(list(files), source.uri, source.format)
        if part.number > 1:
            ignored = []  # the first part tells of them
        if ignored:
            say(
                f"corpus: fetch {place}: {len(ignored)} of {len(files)} files are of no known format and left out"
                + conversions(ignored)
            )
        # Nothing is published before everything is written.
        output = outputs.enter_context(new_file(args.output))
        quarantine = outputs.enter_context(new_file(corpus / "quarantine" / f"{place}.parquet"))
        table = outputs.enter_context(new_file(corpus / "files" / f"{place}.parquet"))
        directory = outputs.enter_context(new_directory(corpus / "raw" / place))

        facts = Facts(source.uri)
        with TableWriter(table, FILES) as file_rows, Quarantine(quarantine) as broken:
            chosen = (
                (name, formats[name], Path(files[name]), span) for name, span in files_of_part(files, formats, part)
            )
            texts = read_all(chosen, reading, settings, facts, file_rows, broken)
            for facts.documents, facts.characters in deal(texts, source.name, shard_paths(directory, args.shards)):
                say(f"corpus: fetch {place}: {facts.documents:,} documents, {facts.characters:,} characters read")
            for name in ignored:
                row = {"name": readable_name(name)}
                facts.add_file(row)
                file_rows.add(row)
        if facts.quarantined and not facts.documents and part == WHOLE:
            raise UserError(f"{source.uri}: no record can be read; the first one: {broken.first}")
        told = facts.as_json()
        if part != WHOLE:
            told["listing"] = listing_fingerprint(list(files.values()))
        write_json(output, told)
    tell(str(place), facts, broken.first, settings.split_length)


def read_all(
    files: Iterator[tuple[str, str, Path, Span | None]],
    reading: Reading,
    settings: FetchSettings,
    facts: Facts,
    file_rows: TableWriter,
    broken: Quarantine,
) -> Iterator[str]:
    """The documents of all files (name, format, path, what is read), long ones in parts.

    Adds up facts, describes files and puts broken records aside.
    """
    split_length = settings.split_length if settings.split_documents == "auto" else sys.maxsize
    for name, file_format, path, span in files:
        shown = readable_name(name)
        seen = Seen()
        documents = quarantined = 0
        for document in read_documents(path, file_format, seen, reading, span):
            if isinstance(document, Broken):
                quarantined += 1
                facts.quarantined[document.kind] += 1
                broken.put(shown, document)
            else:
                parts = divided(document, split_length)
                del document  # it may be tens of megabytes, and the next one is read while this name would hold it
                before = documents
                for part in parts:
                    documents += 1
                    passed_on = [part]
                    del part
                    yield passed_on.pop()
                if documents - before > 1:
                    facts.divided.update(documents=1, parts=documents - before)
        facts.undecodable_bytes += seen.undecodable_bytes
        facts.left_out += seen.left_out
        # The name, not the path: downloads lie in no lasting place.
        row = {
            "name": shown,
            "format": file_format,
            "encoding": seen.encoding,
            "bytes": path.stat().st_size,
            "sha256": seen.sha256 or None,
            "documents": documents,
            "quarantined": quarantined,
            "undecodable_bytes": seen.undecodable_bytes,
        }
        facts.add_file(row)
        file_rows.add(row)


if __name__ == "__main__":
    run(main)
