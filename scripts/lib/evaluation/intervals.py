"""How certain a figure is: 95 % bootstrap intervals of means, ratios and paired differences, and what they say.

A figure over several texts is a ratio of sums: nats over characters, right answers over questions. What is resampled
are the documents, with all that was measured on each of them, because pieces of one document are alike. Of two models
that were measured on the same documents, the difference in every document is resampled, so that what makes a text hard
for both of them adds nothing to the interval.

Few documents make percentile intervals too narrow. They are expanded so that they are as wide as Student's t asks for:
T. Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69 (2015), section 5.3.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
SEED = 1
MINIMUM_UNITS = 5
"""Minimum number of documents; a figure over fewer of them has no interval."""
_MAXIMUM_REPLICATES = 10_000
_MINIMUM_REPLICATES = 1_000
_DRAWS = 2 * 10**8  # draws of a document, all replicates together
_DRAWS_AT_ONCE = 2**21

Verdict = Literal["better", "worse", "cannot tell"]
CANNOT_TELL: Verdict = "cannot tell"
Direction = Literal["lower", "higher"]


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds of its interval; NaN where there are too few documents for one."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def scaled(self, factor: float, shift: float = 0.0) -> "Interval":
        """The interval in another unit: `factor` (positive) times each figure, plus `shift`."""
        return Interval(*(factor * figure + shift for figure in (self.value, self.low, self.high)))

    def verdict(self, better: Direction) -> Verdict:
        """What a difference says: better or worse only when its interval excludes 0."""
        if self.high < 0:
            return "better" if better == "lower" else "worse"
        if self.low > 0:
            return "better" if better == "higher" else "worse"
        return CANNOT_TELL


def ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike | None = None, documents: Sequence[Hashable] | None = None
) -> Interval:
    """The sum of `numerators` over the sum of `denominators` (1 each when not given: the mean), and its interval.

    Element i of each was measured on one piece of the document `documents[i]`; every piece is a document of its own
    when they are not given. With nats of a model as numerators and nats of another one as denominators, the ratio is
    the relative change between the two; with differences as numerators, it is the paired difference.
    """
    measured = _Sums.of(numerators, denominators, documents)
    return _interval(measured.ratio, measured.replicates(SEED), measured.units)


def independent_difference(
    first: tuple[ArrayLike, ArrayLike, Sequence[Hashable] | None],
    second: tuple[ArrayLike, ArrayLike, Sequence[Hashable] | None],
) -> Interval:
    """The ratio of `first` less that of `second`, each as `ratio_interval` takes it, measured on different texts."""
    one, other = (_Sums.of(*measured) for measured in (first, second))
    smaller = min(one.units, other.units)
    replicates = min(_replicates(one.units), _replicates(other.units))
    differences = one.replicates(SEED)[:replicates] - other.replicates(SEED + 1)[:replicates]
    return _interval(one.ratio - other.ratio, differences, smaller)


def resampled_units(documents: Sequence[Hashable]) -> list[Hashable]:
    """What is resampled: the document of each piece or, of fewer documents than `MINIMUM_UNITS`, each piece.

    The interval of a few documents' pieces tells how certain the figure is for these documents, not for others.
    """
    return list(documents) if len(set(documents)) >= MINIMUM_UNITS else list(range(len(documents)))


@dataclass(frozen=True)
class _Sums:
    """Numerator and denominator of each document, (documents,) each."""

    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]

    @classmethod
    def of(cls, numerators: ArrayLike, denominators: ArrayLike | None, documents: Sequence[Hashable] | None) -> "_Sums":
        above = np.asarray(numerators, dtype=np.float64)
        below = np.ones_like(above) if denominators is None else np.asarray(denominators, dtype=np.float64)
        if documents is None:
            return cls(above, below)
        numbers = {document: number for number, document in enumerate(dict.fromkeys(documents))}
        index = np.array([numbers[document] for document in documents], dtype=np.int64)
        above, below = (np.bincount(index, values, minlength=len(numbers)).astype(float) for values in (above, below))
        return cls(above, below)

    @property
    def units(self) -> int:
        return len(self.numerators)

    @property
    def ratio(self) -> float:
        below = self.denominators.sum()
        return float(self.numerators.sum() / below) if below else math.nan

    def replicates(self, seed: int) -> NDArray[np.float64]:
        """The ratio in each resample, (replicates,)."""
        if not self.units:
            return np.empty(0)
        random = np.random.default_rng(seed)
        rows = max(_DRAWS_AT_ONCE // self.units, 1)
        number = _replicates(self.units)
        ratios = []
        for start in range(0, number, rows):
            drawn = random.integers(self.units, size=(min(rows, number - start), self.units))
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios.append(self.numerators[drawn].sum(axis=1) / self.denominators[drawn].sum(axis=1))
        return np.concatenate(ratios)


def _replicates(units: int) -> int:
    return max(min(_DRAWS // max(units, 1), _MAXIMUM_REPLICATES), _MINIMUM_REPLICATES)


def _interval(value: float, replicates: NDArray[np.float64], units: int) -> Interval:
    finite = replicates[np.isfinite(replicates)]
    if units < MINIMUM_UNITS or not len(finite):
        return Interval(value)
    tail = NormalDist().cdf(-math.sqrt(units / (units - 1)) * _student_t(units - 1))
    low, high = np.quantile(finite, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def _student_t(freedom: int) -> float:
    """The quantile of Student's t that bounds `CONFIDENCE`, to 0.02 from 4 degrees of freedom on.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))
