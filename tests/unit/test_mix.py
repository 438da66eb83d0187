import random

import mix
import polars as pl
import pytest

from lib.corpus.split.sampling import copies, places
from lib.text.hashes import text_hashes

rng = random.Random(1)
DOCUMENTS = pl.DataFrame({"characters": [rng.randrange(1, 1000) for _ in range(500)]}).with_columns(
    text_hashes(pl.Series([f"文件{number}" for number in range(500)])).alias("text_hash")
)


@pytest.mark.parametrize("weight", [0.5, 1, 2.5])
@pytest.mark.parametrize("cap", [1, 5_000, 100_000])
def test_the_cap_is_met_and_nearly_reached(weight: float, cap: int) -> None:
    before = mix.end_of_queue(DOCUMENTS, weight, cap, 1)
    assert before is not None
    taken = places(DOCUMENTS["text_hash"], 1) < before
    characters = (DOCUMENTS["characters"].to_numpy() * copies(DOCUMENTS["text_hash"], weight, 1))[taken].sum()
    assert cap - 3 * 1000 < characters <= cap
    assert mix.end_of_queue(DOCUMENTS.reverse(), weight, cap, 1) == before


def test_everything_fits() -> None:
    assert mix.end_of_queue(DOCUMENTS, 1, int(DOCUMENTS["characters"].sum()), 1) is None
    assert mix.end_of_queue(DOCUMENTS[:0], 1, 1, 1) is None
