r"""Fetch a source of text, read its documents and deal them round robin into Parquet shards.

    python scripts/fetch.py --settings '{}' --source '{"name": "news", "uri": "data/news.jsonl"}' --shards 4 \
        --output results/corpus/raw/news.json

Writes the shards into the folder beside the output that is named like it: results/corpus/raw/news/0000.parquet, …,
with the columns id and text. Records that cannot be read go into quarantine/news.parquet beside the output's folder
(file, position, reason, the first characters), and files/news.parquet describes each file. The output itself counts
documents, characters, what was left out and what was divided.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from lib.core.errors import UserError
from lib.core.outputs import new_directory, new_file, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.reading.chapters import divided
from lib.corpus.reading.documents import Reading, read_documents
from lib.corpus.storage.batches import TableWriter
from lib.corpus.storage.quarantine import Quarantine
from lib.corpus.storage.shards import deal, shard_paths
from lib.files.decoding import chosen_encoding, readable_name
from lib.files.formats import ARCHIVES, check_format, choose_formats, conversions
from lib.files.text_files import Broken, Seen
from lib.settings.base import from_json
from lib.settings.corpus import FetchSettings
from lib.settings.sheets import Source
from lib.sources.listing import fetched_source_files

FILES = pa.schema(
    [
        *((name, pa.string()) for name in ("name", "format", "encoding", "sha256")),
        *((name, pa.int64()) for name in ("bytes", "documents", "quarantined", "undecodable_bytes")),
    ]
)
LISTED = 10
"""Files that the counts name; all of them are in the table of files."""


@dataclass
class Totals:
    """What reading a source came to, beside its documents."""

    encodings: Counter[str] = field(default_factory=Counter)
    """Files by encoding."""
    undecodable_bytes: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    """Records that cannot be read, by the beginning of the reason."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Entries that are no documents, by the reason."""
    divided: Counter[str] = field(default_factory=Counter)
    """Long documents, and the parts that they were divided into."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--source", required=True, help="row of the sheet, as a JSON object")
    parser.add_argument("--shards", type=int, required=True, help="number of shards to deal into")
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(FetchSettings, args.settings)
    source = Source(**json.loads(args.source))
    if source.format:
        check_format(source.format)
    reading = Reading(
        settings,
        scratch=args.downloads / f"{source.name}.unpacked",
        text_field=source.text_field,
        encoding=chosen_encoding(source.encoding) if source.encoding else "",
        member_format="" if source.format in ARCHIVES else source.format,
    )

    say(f"corpus: fetch {source.name}: fetching {source.uri}")
    corpus: Path = args.output.parent.parent
    with fetched_source_files(source.uri, args.downloads, source.sha256) as files, ExitStack() as outputs:
        formats, ignored = choose_formats(list(files), source.uri, source.format)
        if ignored:
            say(
                f"corpus: fetch {source.name}: {len(ignored)} of {len(files)} files are of no known format and left out"
                + conversions(ignored)
            )
        # Nothing is published before everything is written.
        output = outputs.enter_context(new_file(args.output))
        quarantine = outputs.enter_context(new_file(corpus / "quarantine" / f"{source.name}.parquet"))
        table = outputs.enter_context(new_file(corpus / "files" / f"{source.name}.parquet"))
        directory = outputs.enter_context(new_directory(args.output.parent / source.name))

        totals = Totals()
        described: list[dict[str, Any]] = []
        with TableWriter(table, FILES) as file_rows, Quarantine(quarantine) as broken:
            length = settings.split_length if settings.split_documents == "auto" else sys.maxsize
            texts = read_all(files, formats, reading, length, totals, described, file_rows, broken)
            for documents, characters in deal(texts, source.name, shard_paths(directory, args.shards)):
                say(f"corpus: fetch {source.name}: {documents:,} documents, {characters:,} characters read")
            for name in ignored:
                file_rows.add({"name": readable_name(name)})
        if totals.quarantined and not documents:
            raise UserError(f"{source.uri}: no record can be read; the first one: {broken.first}")
        write_json(
            output,
            {
                "uri": source.uri,
                "documents": documents,
                "characters": characters,
                "number_of_files": len(formats),
                "files": described,
                "number_of_ignored_files": len(ignored),
                "ignored_files": [readable_name(name) for name in ignored[:LISTED]],
                "encodings": dict(sorted(totals.encodings.items())),
                "undecodable_bytes": totals.undecodable_bytes,
                "quarantined": dict(sorted(totals.quarantined.items())),
                "left_out": dict(sorted(totals.left_out.items())),
                "divided": dict(totals.divided),
            },
        )
    if totals.undecodable_bytes:
        say(f"corpus: fetch {source.name}: {totals.undecodable_bytes:,} undecodable bytes, read as U+FFFD")
    if totals.quarantined:
        say(
            f"corpus: fetch {source.name}: {totals.quarantined.total():,} records in quarantine; "
            f"the first one: {broken.first}"
        )
    if totals.divided:
        say(
            f"corpus: fetch {source.name}: {totals.divided['documents']:,} documents longer than "
            f"{settings.split_length:,} characters divided into {totals.divided['parts']:,} parts, at chapters or ends "
            "of paragraphs"
        )
    for reason, number in sorted(totals.left_out.items()):
        say(f"corpus: fetch {source.name}: left out: {number:,} {reason}")


def read_all(
    files: dict[str, str],
    formats: dict[str, str],
    reading: Reading,
    split_length: int,
    totals: Totals,
    described: list[dict[str, Any]],
    file_rows: TableWriter,
    broken: Quarantine,
) -> Iterator[str]:
    """The documents of all files, long ones in parts. Adds up totals, describes files and puts broken records aside."""
    for name, file_format in formats.items():
        path, shown = Path(files[name]), readable_name(name)
        seen = Seen()
        documents = quarantined = 0
        for document in read_documents(path, file_format, seen, reading):
            if isinstance(document, Broken):
                quarantined += 1
                totals.quarantined[document.kind] += 1
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
                    totals.divided.update(documents=1, parts=documents - before)
        totals.encodings[seen.encoding] += 1
        totals.undecodable_bytes += seen.undecodable_bytes
        totals.left_out += seen.left_out
        # The name, not the path: downloads lie in no lasting place.
        row = {
            "name": shown,
            "format": file_format,
            "encoding": seen.encoding,
            "bytes": path.stat().st_size,
            "sha256": seen.sha256,
            "documents": documents,
            "quarantined": quarantined,
            "undecodable_bytes": seen.undecodable_bytes,
        }
        file_rows.add(row)
        if len(described) < LISTED:
            described.append(row)


if __name__ == "__main__":
    run(main)
