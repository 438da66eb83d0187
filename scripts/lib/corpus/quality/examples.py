"""The user's examples of good and of bad documents, as `quality` learns from them."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from lib.core.errors import UserError, about
from lib.core.program import say
from lib.corpus.reading.chapters import divided
from lib.corpus.reading.documents import Reading, read_documents
from lib.files.formats import choose_formats, conversions
from lib.files.text_files import Broken, Seen
from lib.settings.corpus import FetchSettings
from lib.sources.listing import fetched_source_files
from lib.text.hashes import text_hashes

CHARACTERS = 5_000
"""Characters of each example that are learned from."""
FEWEST = 20
"""Examples of each kind without which nothing is learned."""
MOST = 10_000
"""Examples of each kind that are learned from; of more, a sample."""


def read_examples(key: str, addresses: Iterable[str], downloads: Path, settings: FetchSettings) -> Iterator[str]:
    """The documents at `addresses`, long ones in parts, as `fetch` reads a source. `key` is named in messages."""
    reading = Reading(settings, scratch=downloads / f"{key}.unpacked")
    for uri in addresses:
        with about(f"corpus.{key}"), fetched_source_files(uri, downloads, "") as files:
            formats, ignored = choose_formats(list(files), uri, "")
            if ignored:
                say(f"corpus: quality: {uri}: {len(ignored)} files are of no known format{conversions(ignored)}")
            broken = 0
            for name, file_format in formats.items():
                for found in read_documents(Path(files[name]), file_format, Seen(), reading):
                    if isinstance(found, Broken):
                        broken += 1
                    else:
                        yield from divided(found, settings.split_length)
            if broken:
                say(f"corpus: quality: {uri}: {broken} records cannot be read and are left out")


def chosen(key: str, documents: Iterable[str], clean: Callable[[list[str]], list[str]]) -> pl.DataFrame:
    """Columns hash and text: beginnings of different documents, cleaned, in the order of their hashes.

    UserError that names `key` when there are fewer than `FEWEST`; of more than `MOST`, those with the lowest hashes.
    """
    found = pl.DataFrame(schema={"hash": pl.String, "text": pl.String})
    beginnings = (document[: 2 * CHARACTERS] for document in documents)
    while batch := list(islice(beginnings, 1_000)):
        texts = pl.Series("text", [text[:CHARACTERS] for text in clean(batch)], dtype=pl.String)
        new = pl.DataFrame([text_hashes(texts), texts]).filter(pl.col("text") != "")
        found = pl.concat([found, new]).unique("hash", keep="first", maintain_order=True).sort("hash").head(MOST)
    if len(found) < FEWEST:
        raise UserError(
            f"corpus.{key}: {len(found)} different documents are too few to learn from; give at least {FEWEST}, "
            "better some hundreds"
        )
    return found


def check_apart(good: pl.DataFrame, bad: pl.DataFrame) -> None:
    """UserError when a document is among both."""
    both = good.filter(good["hash"].is_in(bad["hash"].implode()))["text"]
    if len(both):
        raise UserError(
            f"corpus.good_examples and corpus.bad_examples share {len(both)} documents; take them out of one. "
            f"The first one begins with {both[0][:40]!r}"
        )
