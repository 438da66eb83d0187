"""How well scores tell good examples from bad ones that they were not learned from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Judgement:
    """What a limit would keep; the two kinds weigh the same, however many there are of each."""

    limit: float
    recall: float
    """Share of the good examples that are kept."""
    specificity: float
    """Share of the bad examples that are dropped."""

    @classmethod
    def at(cls, limit: float, good: npt.NDArray[np.float64], bad: npt.NDArray[np.float64]) -> "Judgement":
        """The judgement of the scores of good and of bad examples, of which those from `limit` on are kept."""
        return cls(limit, float(np.mean(good >= limit)), float(np.mean(bad < limit)))

    @property
    def precision(self) -> float:
        """Share of what is kept that is good; 1 when nothing is kept."""
        kept = self.recall + 1 - self.specificity
        return self.recall / kept if kept else 1.0

    @property
    def accuracy(self) -> float:
        """Share of all examples that are judged rightly."""
        return (self.recall + self.specificity) / 2

    def facts(self) -> dict[str, float]:
        """All figures by name, rounded to four digits."""
        names = ("limit", "precision", "recall", "specificity", "accuracy")
        return {name: round(getattr(self, name), 4) for name in names}

    def sentence(self) -> str:
        """What to tell a user."""
        return (
            f"at {self.limit:g}, {self.recall:.1%} of the held-out good examples are kept (recall), "
            f"{self.specificity:.1%} of the bad ones are dropped, and {self.precision:.1%} of what is kept is good "
            "(precision)"
        )
