r"""Bring the parts of a source together, each read by a job of its own: what they came to, and where each begins.

    python scripts/gather.py --settings '{}' --source news --parts 2 --output results/corpus/raw/news.json

Reads raw/news/PART.json, files/news/PART.parquet and quarantine/news/PART.parquet below the folder of raw/. Writes what
fetch.py writes about a source that is read as a whole, and, as `parts`, the number of documents of each part. The
documents stay where they are: from these numbers, clean.py knows which of them belong to a shard, and their ids.
"""

from contextlib import ExitStack
from pathlib import Path

from lib.core.errors import UserError
from lib.core.outputs import new_file, read_json, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.fetching.facts import FILES, added_up, joined_files, tell
from lib.corpus.fetching.parts import part_names
from lib.corpus.storage.batches import TableWriter
from lib.corpus.storage.quarantine import Quarantine
from lib.corpus.storage.shards import read_shard
from lib.files.text_files import Broken
from lib.settings.base import from_json
from lib.settings.corpus import FetchSettings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--parts", type=int, required=True, help="their number")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(FetchSettings, args.settings)
    source, corpus = args.source, args.output.parents[1]

    names = part_names(args.parts)
    parts = [read_json(corpus / "raw" / source / f"{part}.json") for part in names]
    if len({part["listing"] for part in parts}) > 1:
        raise UserError(
            f"{parts[0]['uri']} changed while its parts were read; run again when nothing writes to it any more"
        )
    facts = added_up(parts)
    with ExitStack() as outputs:
        output = outputs.enter_context(new_file(args.output))
        table = outputs.enter_context(new_file(corpus / "files" / f"{source}.parquet"))
        quarantine = outputs.enter_context(new_file(corpus / "quarantine" / f"{source}.parquet"))
        with TableWriter(table, FILES) as file_rows, Quarantine(quarantine) as broken:
            files = joined_files([read_shard(corpus / "files" / source / f"{part}.parquet") for part in names])
            for row in files.iter_rows(named=True):
                facts.add_file(row)
                file_rows.add(row)
            for part in names:
                for record in read_shard(corpus / "quarantine" / source / f"{part}.parquet").iter_rows(named=True):
                    broken.put(record.pop("file"), Broken(**record))
        if facts.quarantined and not facts.documents:
            raise UserError(f"{facts.uri}: no record can be read; the first one: {broken.first}")
        write_json(output, facts.as_json() | {"parts": [part["documents"] for part in parts]})
    say(f"corpus: fetch {source}: {facts.documents:,} documents, {facts.characters:,} characters in {len(parts)} parts")
    tell(source, facts, broken.first, settings.split_length)


if __name__ == "__main__":
    run(main)
