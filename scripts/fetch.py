"""Fetch a source of text, read its documents and deal them round robin into Parquet shards.

    python scripts/fetch.py --source '{"name": "news", "uri": "data/news.jsonl"}' --shards 4 \
        --output results/corpus/raw/news.json

Writes the shards into the folder beside the output that is named like it: results/corpus/raw/news/0000.parquet, …,
with the columns id and text. The output itself counts documents and characters and describes the files that were read.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.checksums import sha256_file
from lib.errors import UserError, run
from lib.manifest import write_json
from lib.outputs import new_directory, new_file
from lib.reading import Seen, check_format, format_of, read_documents
from lib.shards import deal, shard_paths
from lib.sheets import Source
from lib.source_files import fetched_source_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="row of the sheet, as a JSON object")
    parser.add_argument("--shards", type=int, required=True, help="number of shards to deal into")
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    source = Source(**json.loads(args.source))
    if source.format:
        check_format(source.format)

    say(source.name, f"fetching {source.uri}")
    with fetched_source_files(source.uri, args.downloads, source.sha256) as files:
        formats, ignored = choose_formats(list(files), source.uri, source.format)
        if ignored:
            say(source.name, f"{len(ignored)} of {len(files)} files are of no known format and left out")
        seen = Seen()
        texts = read_all([(files[name], known) for name, known in formats.items()], source.text_field, seen)
        with new_directory(args.output.parent / source.name) as directory:
            paths = shard_paths(directory, args.shards)
            for documents, characters in deal(texts, source.name, paths):
                say(source.name, f"{documents:,} documents, {characters:,} characters read")
        with new_file(args.output) as output:
            write_json(
                output,
                {
                    "uri": source.uri,
                    "documents": documents,
                    "characters": characters,
                    "files": [describe(name, files[name], known) for name, known in formats.items()],
                    "ignored_files": ignored,
                    "encodings": dict(sorted(seen.encodings.items())),
                    "undecodable_bytes": seen.undecodable_bytes,
                },
            )
    if seen.undecodable_bytes:
        say(source.name, f"{seen.undecodable_bytes:,} undecodable bytes, read as U+FFFD")


def say(name: str, line: str) -> None:
    print(f"corpus: fetch {name}: {line}", flush=True)


def choose_formats(names: list[str], uri: str, chosen: str) -> tuple[dict[str, str], list[str]]:
    """The format of each file, and the files that are ignored because their names tell none.

    A single file must have one: by its own name, or by the address that it came from.
    """
    if chosen:
        return dict.fromkeys(names, chosen), []
    formats = {name: known for name in names if (known := format_of(name))}
    if not formats and len(names) == 1 and (known := format_of(uri)):
        formats = {names[0]: known}
    if not formats:
        raise UserError(
            f"{uri}: cannot tell the format from the name ({', '.join(names[:3])}); fill in the sheet's column format"
        )
    return formats, [name for name in names if name not in formats]


def read_all(files: list[tuple[Path, str]], text_field: str, seen: Seen) -> Iterator[str]:
    """The documents of all files, given with their formats, one after another."""
    for path, file_format in files:
        yield from read_documents(path, file_format, text_field, seen)


def describe(name: str, path: Path, file_format: str) -> dict[str, Any]:
    """A file that was read. Not its path: downloads lie in no lasting place."""
    return {"name": name, "format": file_format, "bytes": path.stat().st_size, "sha256": sha256_file(path)}


if __name__ == "__main__":
    run(main)
