"""Near-duplicates of one source, among its own documents and in the sources before it.

Documents are 64-bit keys in order of preference: place of the source in the sheet, then number of the document in its
source. Per band, documents with equal hashes become candidate pairs, each document with the first and the one before
it, so that a thousand copies make two thousand pairs and not half a million. Pairs wait on disk, the signatures of the
documents in them in a file that is mapped into memory. A pair whose signatures agree often enough joins two clusters,
and the most preferred member of a cluster stays.

DuckDB 2.0 finds the same among ten million documents in 100 CPU seconds and 3.9 GB, this in 174 s and 1.8 GB
(docs/experiments.md). datatrove is compared in `minhash`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.corpus.duplicates.minhash import band_names
from lib.corpus.storage.shards import intact, read_shard

Keys = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]
"""Array [pairs, 2]; the preferred document comes first."""

_NUMBER_BITS = 40  # a source has fewer than 10**12 documents
_CHUNK = 1 << 17  # pairs whose signatures are compared at a time


def find_duplicates(sources: Sequence[Sequence[Path]], similarity: float | None, scratch: Path) -> pl.DataFrame:
    """Documents of the last source that repeat another one, in order of their numbers.

    `sources` are the signature files of each source, the preferred ones first; `similarity` is None when only exact
    duplicates are wanted; `scratch` is an empty directory. Columns: number; source and original, the place of the
    source (0 is the first) and the number of the document that it repeats; rule (exact_duplicate or near_duplicate);
    similarity as estimated.
    """
    find = CandidatePairs(sources)
    exact = find("hash", np.zeros(0, np.int64))
    repeated = distinct(exact[:, 1])
    files = []
    if similarity is not None:
        for name in band_names(_bands(sources)):
            # An exact copy has the signature of its original, which stands for it.
            np.save(scratch / f"{name}.npy", find(name, repeated))
            files.append(scratch / f"{name}.npy")
    members = distinct(exact)
    for file in files:
        members = distinct(np.concatenate([members, np.load(file).ravel()]))

    labels = np.arange(len(members))
    best = np.zeros(len(members), np.float32)
    places = np.searchsorted(members, exact)
    unite(labels, places)
    best[places.ravel()] = 1
    if files and similarity is not None:
        stored = gather_signatures(sources, members, scratch / "signatures.bin")
        for file in files:
            pairs = np.load(file, mmap_mode="r")
            alike = [np.zeros((0, 2), np.int64)]
            for start in range(0, len(pairs), _CHUNK):
                places = np.searchsorted(members, pairs[start : start + _CHUNK])
                places = places[labels[places[:, 0]] != labels[places[:, 1]]]
                agreement = (stored[places[:, 0]] == stored[places[:, 1]]).mean(axis=1, dtype=np.float32)
                is_alike = agreement >= np.float32(similarity)
                places, agreement = places[is_alike], agreement[is_alike]
                for side in (0, 1):
                    np.maximum.at(best, places[:, side], agreement)
                alike.append(places)
            unite(labels, np.concatenate(alike))
        del stored

    originals = members[labels]
    is_duplicate = (originals != members) & (members >> _NUMBER_BITS == len(sources) - 1)
    keys, originals = members[is_duplicate], originals[is_duplicate]
    is_exact = np.isin(keys, repeated)
    return pl.DataFrame(
        {
            "number": _number(keys),
            "source": originals >> _NUMBER_BITS,
            "original": _number(originals),
            "rule": np.where(is_exact, "exact_duplicate", "near_duplicate"),
            "similarity": best[is_duplicate],
        },
        schema_overrides={"rule": pl.String, "similarity": pl.Float32},
    )


def unite(labels: npt.NDArray[np.int64], pairs: npt.NDArray[np.int64]) -> None:
    """Union-find over whole arrays: give both members of each pair, and all that share their labels, the lowest label.

    `labels[i] <= i` is the lowest member of the cluster of i, before and after.
    """
    while len(pairs):
        roots = np.sort(labels[pairs], axis=1)
        pairs = pairs[roots[:, 0] != roots[:, 1]]
        roots = roots[roots[:, 0] != roots[:, 1]]
        np.minimum.at(labels, roots[:, 1], roots[:, 0])
        while not np.array_equal(shorter := labels[labels], labels):
            labels[:] = shorter


def distinct(keys: Keys) -> Keys:
    """The different keys, sorted. np.unique hashes whole numbers, which takes a hundred times as long for a million."""
    ordered = np.sort(keys, axis=None)
    kept: Keys = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return kept


class CandidatePairs:
    """Pairs of documents with the same hash, at least one of them in the last source."""

    def __init__(self, sources: Sequence[Sequence[Path]]) -> None:
        self.before = sources[:-1]
        self.own = sources[-1]
        self.keys = _keys(self.own, len(sources) - 1)
        self.order = np.argsort(self.keys, kind="stable")
        self.keys = self.keys[self.order]

    def __call__(self, column: str, without: Keys) -> Pairs:
        """Pairs by the hashes in `column` (0: none), leaving out the documents `without` of the last source."""
        hashes = _column(self.own, column)[self.order]
        chosen = (hashes != 0) & ~np.isin(self.keys, without, assume_unique=True)
        hashes, keys = hashes[chosen], self.keys[chosen]
        if not len(keys):
            return np.zeros((0, 2), np.int64)
        order = np.argsort(hashes, kind="stable")  # equal hashes side by side, each group in order of preference
        hashes, keys = hashes[order], keys[order]
        is_first = np.concatenate([[True], hashes[1:] != hashes[:-1]])
        group = np.cumsum(is_first) - 1
        later = np.flatnonzero(~is_first)
        found = [np.stack([keys[later - 1], keys[later]], axis=1)]
        firsts = keys[is_first]
        found.append(np.stack([firsts[group[later]], keys[later]], axis=1))
        for earlier in self._earlier(column, hashes[is_first]):
            members = np.flatnonzero(earlier[group] >= 0)
            found.append(np.stack([earlier[group[members]], keys[members]], axis=1))
        pairs = np.concatenate(found)
        return pairs[_is_new(pairs)]

    def _earlier(self, column: str, hashes: Hashes) -> Iterator[Keys]:
        """For each of the sorted `hashes` the first and the last document before this source with it, or -1."""
        first = np.full(len(hashes), np.iinfo(np.int64).max)
        last = np.full(len(hashes), -1)
        for rank, paths in enumerate(self.before):
            for path in paths:
                values = _column([path], column)
                place = np.minimum(np.searchsorted(hashes, values), len(hashes) - 1)
                hit = np.flatnonzero(hashes[place] == values)
                if len(hit):
                    keys = _keys([path], rank)[hit]
                    np.minimum.at(first, place[hit], keys)
                    np.maximum.at(last, place[hit], keys)
        yield np.where(last < 0, -1, first)
        yield last


def gather_signatures(sources: Sequence[Sequence[Path]], members: Keys, path: Path) -> npt.NDArray[np.uint16]:
    """Signatures of the documents `members` (sorted), in a new file at `path` that is mapped into memory."""
    size = _schema(sources)["signature"].shape[0]  # type: ignore[attr-defined]
    with path.open("wb") as file:
        # Reserved first: a full disk is an error here, and a crash once the file is mapped.
        os.posix_fallocate(file.fileno(), 0, max(1, len(members) * size * 2))
    stored = np.memmap(path, np.uint16, "r+", shape=(max(1, len(members)), size))
    for rank, paths in enumerate(sources):
        for shard in paths:
            keys = _keys([shard], rank)
            place = np.searchsorted(members, keys)
            hit = np.flatnonzero(np.append(members, -1)[place] == keys)
            if len(hit):
                signatures = read_shard(shard, columns=["signature"])["signature"]
                stored[place[hit]] = signatures.gather(hit).explode().to_numpy().reshape(len(hit), size)
    return stored


def _bands(sources: Sequence[Sequence[Path]]) -> int:
    return sum(name.startswith("band") for name in _schema(sources))


def _schema(sources: Sequence[Sequence[Path]]) -> Mapping[str, pl.DataType]:
    path = sources[-1][0]
    with intact(path):
        return pl.read_parquet_schema(path)


def _keys(paths: Sequence[Path], rank: int) -> Keys:
    return _column(paths, "number").astype(np.int64) + (rank << _NUMBER_BITS)


def _number(keys: Keys) -> Keys:
    return keys & ((1 << _NUMBER_BITS) - 1)


def _column(paths: Sequence[Path], column: str) -> Hashes:
    """A column of whole numbers from all files, one after another."""
    parts = [read_shard(path, columns=[column])[column].to_numpy() for path in paths]
    return np.concatenate(parts)


def _is_new(pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Marks each distinct pair once."""
    order = np.lexsort((pairs[:, 0], pairs[:, 1]))
    ordered = pairs[order]
    mask = np.zeros(len(pairs), bool)
    mask[order] = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]) if len(pairs) else False
    return mask
