import random

import mix
import polars as pl
import pytest

from lib.corpus.split.sampling import are_held_out, copies, places, validation_draws
from lib.settings.corpus import SplitSettings
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


def test_chance_that_holds_out_anything_is_left_alone() -> None:
    assert mix.nearest_to_hold_out([DOCUMENTS], SplitSettings(), 1) is None


@pytest.mark.parametrize("parts", [1, 2, 10])
def test_one_of_ten_documents_is_always_held_out(parts: int) -> None:
    for seed in range(30):
        documents = DOCUMENTS[seed * 10 : seed * 10 + 10]
        hashes = documents["text_hash"]
        shards = [documents.gather_every(parts, offset) for offset in range(parts)]
        nearest = mix.nearest_to_hold_out([*shards, DOCUMENTS[:0]], SplitSettings(), seed)
        held_out = are_held_out(hashes, 0.05, seed, nearest)
        assert (nearest is None) == are_held_out(hashes, 0.05, seed).any()
        if nearest is not None:
            assert held_out.sum() == 1
            # What a larger share would have held out first.
            assert hashes[int(validation_draws(hashes, seed).argmin())] == nearest


def test_the_only_document_is_trained_on() -> None:
    chosen = next(one for one in range(500) if not are_held_out(DOCUMENTS[one : one + 1]["text_hash"], 0.05, 1).any())
    assert mix.nearest_to_hold_out([DOCUMENTS[chosen : chosen + 1]], SplitSettings(), 1) is None
