"""A classifier of documents that learns from good and bad ones what the user wants.

Naive Bayes over hashed character n-grams, each counted once a document: a text is as good as its n-grams are more
frequent in good examples than in bad ones, on average. Data Selection via Importance Resampling (Xie et al., 2023,
arXiv:2302.03169) weighs documents so, too. The average becomes a probability by Platt scaling (Platt, 1999), fitted to
scores of examples that the weights were not learned from. Nothing is random: equal examples give equal weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.core.integrity import require_intact

ORDERS = (1, 2, 3)
"""Lengths of the n-grams in characters."""
BUCKET_BITS = 18
"""N-grams share 2 to this power of weights, which take 1 MB."""
FOLDS = 5
BLOCK_CHARACTERS = 1 << 20
"""Characters that are worked on at a time; of a longer document, as many are looked at."""
SMOOTHING = 0.5
"""Documents in which every n-gram is taken to occur beside those that have it."""
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # odd; of the hash of an n-gram

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Classifier:
    """What was learned."""

    weights: npt.NDArray[np.float32]
    """For each bucket, the logarithm of how many times as often good examples have it."""
    slope: float
    intercept: float
    """The log-odds that a text is good are slope * mean weight + intercept."""

    def scores(self, texts: pl.Series) -> Floats:
        """Probability, from 0 to 1, that each text is good, if as many were good as bad. 0.5 for an empty text."""
        return _probability(mean_weights(texts, self.weights), self.slope, self.intercept)

    def save(self, path: Path) -> None:
        """Write the classifier as an array of NumPy's: slope, intercept, weights."""
        np.save(path, np.concatenate([[self.slope, self.intercept], self.weights]), allow_pickle=False)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """What `save` wrote."""
        saved = np.load(require_intact(path), allow_pickle=False)
        return cls(saved[2:].astype(np.float32), float(saved[0]), float(saved[1]))


def learn(good: Sequence[str], bad: Sequence[str]) -> tuple[Classifier, Floats, Floats]:
    """The classifier of all examples, and the score of each good and each bad one.

    Each example is scored with weights that were learned from other folds than its own. At least `FOLDS` examples of
    each kind are needed, in an order that has nothing to do with what they are.
    """
    texts = pl.Series([*good, *bad], dtype=pl.String)
    is_good = np.arange(len(texts)) < len(good)
    folds = np.concatenate([np.arange(len(good)), np.arange(len(bad))]) % FOLDS
    documents = np.array(
        [[np.sum((folds == fold) & (is_good == kind)) for kind in (True, False)] for fold in range(FOLDS)]
    )
    counts = np.zeros((FOLDS, 2, 1 << BUCKET_BITS), np.int64)
    for rows, buckets in _features(texts):
        for fold in range(FOLDS):
            for place, kind in enumerate((True, False)):
                inside = (folds[rows] == fold) & (is_good[rows] == kind)
                counts[fold, place] += np.bincount(buckets[inside], minlength=1 << BUCKET_BITS)
    means = np.zeros(len(texts))
    for fold in range(FOLDS):
        others = _weights(counts.sum(axis=0) - counts[fold], documents.sum(axis=0) - documents[fold])
        held_out = np.flatnonzero(folds == fold)
        means[held_out] = mean_weights(texts.gather(held_out), others)
    slope, intercept = _platt(means, is_good)
    scores = _probability(means, slope, intercept)
    classifier = Classifier(_weights(counts.sum(axis=0), documents.sum(axis=0)), slope, intercept)
    return classifier, scores[is_good], scores[~is_good]


def mean_weights(texts: pl.Series, weights: npt.NDArray[np.float32]) -> Floats:
    """Mean weight of the n-grams of each text, every one counted once; 0 for an empty text."""
    sums, numbers = np.zeros(len(texts)), np.zeros(len(texts))
    for rows, buckets in _features(texts):
        sums += np.bincount(rows, weights[buckets], minlength=len(texts))
        numbers += np.bincount(rows, minlength=len(texts))
    return sums / np.maximum(numbers, 1)


def _features(texts: pl.Series) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows of texts and buckets that they have, each pair once, for about `BLOCK_CHARACTERS` characters at a time."""
    block: list[str] = []
    start = size = 0
    for row, text in enumerate(texts):
        text = text[:BLOCK_CHARACTERS]
        if block and size + len(text) > BLOCK_CHARACTERS:
            yield _of_block(block, start)
            block, start, size = [], row, 0
        block.append(text)
        size += len(text)
    if block:
        yield _of_block(block, start)


def _of_block(texts: list[str], start: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32).astype(np.uint64)
    rows = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) for text in texts])
    keys = []
    hashes = np.zeros(len(codes), np.uint64)
    for order, factor in zip(ORDERS, _FACTORS, strict=True):
        # The hash of the n-gram that begins at each place: that of the shorter one, and one character more.
        hashes = hashes[: max(len(codes) - order + 1, 0)] + codes[order - 1 :] * np.uint64(factor)
        inside = rows[: len(hashes)] == rows[order - 1 :]
        mixed = (hashes ^ hashes >> np.uint64(31)) * np.uint64(_FACTORS[0])
        keys.append((rows[: len(hashes)] << np.uint64(BUCKET_BITS) | mixed >> np.uint64(64 - BUCKET_BITS))[inside])
    found = np.concatenate(keys)
    found.sort()
    found = found[np.append(True, found[1:] != found[:-1])[: len(found)]].astype(np.int64)
    return (found >> BUCKET_BITS) + start, found & (1 << BUCKET_BITS) - 1


def _weights(counts: npt.NDArray[np.int64], documents: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Logarithm of the ratio of the shares of good and of bad documents that have each bucket."""
    shares = (counts + SMOOTHING) / (documents[:, None] + 2 * SMOOTHING)
    return np.asarray(np.log(shares[0]) - np.log(shares[1]), np.float32)


def _platt(means: Floats, is_good: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of goodness on mean weights, both kinds weighing the same.

    With Platt's targets, which keep the slope finite where the two kinds do not overlap; by Newton's method.
    """
    number = np.where(is_good, is_good.sum(), (~is_good).sum())
    targets = np.where(is_good, (number + 1) / (number + 2), 1 / (number + 2))
    inputs = np.stack([means, np.ones(len(means))], axis=1)
    spread = max(float(means.std()), 1e-9)
    found = np.array([1 / spread, -float(means.mean()) / spread])
    for _ in range(50):
        predicted = _probability(means, found[0], found[1])
        gradient = inputs.T @ ((predicted - targets) / number)
        hessian = (inputs * (np.maximum(predicted * (1 - predicted), 1e-6) / number)[:, None]).T @ inputs
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        found = found - step
        if np.abs(step).max() < 1e-9 * np.abs(found).max():
            break
    return float(found[0]), float(found[1])


def _probability(means: Floats, slope: float, intercept: float) -> Floats:
    return 1 / (1 + np.exp(-np.clip(slope * means + intercept, -500, 500)))
