"""The n-grams of text that training must not repeat, and the training documents that do.

Kept are 8 bytes (a hash) and 4 bytes (whose it is) for every distinct n-gram. Programs that check training text map
both files into memory, so that all jobs on a machine share them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.core.integrity import require_intact
from lib.corpus.extraction.html_tags import strip_markup
from lib.corpus.extraction.page_tree import is_page
from lib.corpus.reading.documents import Reading, read_documents
from lib.corpus.storage.shards import read_shard
from lib.files.decoding import valid_text
from lib.files.formats import RECORDS, TEXTS
from lib.files.records import read_records
from lib.files.text_files import Broken, Seen, TextFile, stopping_at_broken
from lib.text.ngrams import BATCH_CHARACTERS, Hashes, folded_batches, ngram_hashes, windows

_MOST_BITS = 28  # a filter takes 256 MB at most


@dataclass(frozen=True)
class Index:
    """All n-grams of the texts that must not be repeated."""

    hashes: Hashes
    """Distinct, sorted."""
    owners: npt.NDArray[np.uint32]
    """For each hash the place in `names` of the first text that has it."""
    names: pl.Series

    def save(self, directory: Path) -> None:
        """Write hashes.npy, owners.npy and names.parquet."""
        np.save(directory / "hashes.npy", self.hashes)
        np.save(directory / "owners.npy", self.owners)
        self.names.to_frame("name").write_parquet(directory / "names.parquet")

    @classmethod
    def load(cls, directory: Path) -> "Index":
        """What `save` wrote, mapped into memory."""
        require_intact(directory, "*.npy", "*.parquet")
        hashes, owners = (np.load(directory / name, mmap_mode="r") for name in ("hashes.npy", "owners.npy"))
        return cls(hashes, owners, read_shard(directory / "names.parquet")["name"])


def index_texts(texts: Iterable[tuple[str, str]], length: int) -> Index:
    """Index of all n-grams of `length` letters in `texts` (name, text)."""
    hashes: list[Hashes] = [np.zeros(0, np.uint64)]
    owners: list[npt.NDArray[np.uint32]] = [np.zeros(0, np.uint32)]
    names: list[str] = []
    iterator = iter(texts)
    while rows := _some(iterator):
        done = len(names)
        names += [name for name, _ in rows]
        for row, codes, code_ends in folded_batches(pl.Series([text for _, text in rows], dtype=pl.String), length):
            found, ends = ngram_hashes(codes, code_ends, length)
            hashes.append(found)
            owners.append(np.repeat(np.arange(done + row, done + row + len(ends) - 1, dtype=np.uint32), np.diff(ends)))
    distinct, first = np.unique(np.concatenate(hashes), return_index=True)
    return Index(distinct, np.concatenate(owners)[first], pl.Series(names, dtype=pl.String))


def _some(texts: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """The next texts, as many as are hashed at a time, or one that is longer."""
    rows: list[tuple[str, str]] = []
    characters = 0
    while characters < BATCH_CHARACTERS and (row := next(texts, None)):
        rows.append(row)
        characters += len(row[1])
    return rows


class Contamination:
    """Finds texts that share an n-gram with an index."""

    def __init__(self, index: Index, length: int) -> None:
        self._index = index
        self._length = length
        # One of these for each of the lowest bits of a hash: most hashes that are not in the index stop here.
        bits = min(_MOST_BITS, max(10, (4 * len(index.hashes)).bit_length()))
        self._mask = np.uint64((1 << bits) - 1)
        self._passes = np.zeros(1 << bits, bool)
        self._passes[index.hashes & self._mask] = True

    def __call__(self, texts: pl.Series) -> pl.DataFrame:
        """Columns row (place in `texts`), ngram (the first that is shared, folded), held_out (whose it is)."""
        found: list[dict[str, Any]] = []
        for first_row, codes, ends in folded_batches(texts, self._length):
            hashes, last = ngram_hashes(codes, ends, self._length)
            hits, places = self._matches(hashes)
            rows, first = np.unique(np.searchsorted(last, hits, side="right") - 1, return_index=True)
            starts = windows(ends, self._length)[hits[first]]
            for row, start, place in zip(first_row + rows, starts, places[first], strict=True):
                if found and found[-1]["row"] == row:
                    continue  # a later part of a long text
                ngram = codes[start : start + self._length].tobytes().decode("utf-32-le")
                owner = self._index.names[int(self._index.owners[place])]
                found.append({"row": int(row), "ngram": ngram, "held_out": owner})
        return pl.DataFrame(found, schema={"row": pl.UInt32, "ngram": pl.String, "held_out": pl.String})

    def _matches(self, hashes: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Positions in `hashes` of those that are in the index, and their places there."""
        known = self._index.hashes
        if not len(known):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        maybe = np.flatnonzero(self._passes[hashes & self._mask])
        places = np.minimum(np.searchsorted(known, hashes[maybe]), len(known) - 1)
        is_match = known[places] == hashes[maybe]
        return maybe[is_match], places[is_match]


def benchmark_texts(path: Path, file_format: str, name: str, reading: Reading) -> Iterator[tuple[str, str] | Broken]:
    """(name and number of the record, text) of every text in a file, or why a record has none.

    The texts are all strings of its records, or what the file says, of a page its main text. Raises UserError when the
    file as a whole cannot be read.
    """
    for number, found in enumerate(_benchmark_records(path, file_format, reading)):
        if isinstance(found, Broken):
            yield found
        else:
            for text in _strings(found):
                yield f"{name}:{number}", text


def _benchmark_records(path: Path, file_format: str, reading: Reading) -> Iterator[Any]:
    if file_format in RECORDS:
        file = TextFile(path, Seen(), reading.settings)
        for record in stopping_at_broken(read_records(file, file_format), path, reading.settings):
            yield record if isinstance(record, Broken) else record.value
    else:
        for document in read_documents(path, file_format, Seen(), reading):
            if file_format not in TEXTS and isinstance(document, str) and is_page(document):
                yield strip_markup(pl.Series([document]))[0]
            else:
                yield document


def _strings(value: Any) -> Iterator[str]:
    """All strings in nested lists and mappings."""
    if isinstance(value, str):
        yield valid_text(value)
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
