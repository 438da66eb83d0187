import random
from functools import partial

import numpy as np
import polars as pl
import pytest

import lib.corpus.duplicates.minhash
from lib.corpus.duplicates.minhash import band_names, describe, minhash, signatures
from lib.settings.corpus import SignatureSettings
from lib.text.hashes import text_hashes
from lib.text.ngrams import folded_batches

SETTINGS = SignatureSettings()


@pytest.mark.parametrize("shared", [0.1, 0.5, 0.9])
def test_agreement_estimates_the_jaccard_similarity(shared: float) -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 2**63, 1000, dtype=np.uint64)
    kept = int(1000 * 2 * shared / (1 + shared))  # of two sets of equal size
    other = np.concatenate([numbers[:kept], rng.integers(0, 2**63, 1000 - kept, dtype=np.uint64)])
    one, two = minhash(np.concatenate([numbers, other]), np.array([0, 1000, 2000]), 512)
    assert (one == two).mean() == pytest.approx(shared, abs=0.08)


def test_a_signature_hangs_on_its_text_alone() -> None:
    rng = random.Random(1)
    texts = pl.Series(["".join(rng.choices("甲乙丙丁戊己庚辛", k=rng.randrange(40))) for _ in range(200)])
    together = signatures(texts, SETTINGS)
    assert pl.concat([signatures(texts[:77], SETTINGS), signatures(texts[77:], SETTINGS)]).equals(together)
    assert signatures(texts.reverse(), SETTINGS).reverse().equals(together)


@pytest.mark.parametrize("characters", [1, 7, 50])
def test_a_long_text_is_read_in_parts(monkeypatch: pytest.MonkeyPatch, characters: int) -> None:
    texts = pl.Series(["".join(random.Random(row).choices("甲乙丙丁，", k=row * 30)) for row in range(5)])
    whole = signatures(texts, SETTINGS)
    monkeypatch.setattr(lib.corpus.duplicates.minhash, "folded_batches", partial(folded_batches, characters=characters))
    assert signatures(texts, SETTINGS).equals(whole)


def test_texts_without_an_ngram_have_no_signature() -> None:
    frame = signatures(pl.Series(["", "四个，汉字", "！！！！！！", "五个汉字符"]), SETTINGS)
    missing = [not any(row) for row in frame.select(band_names(SETTINGS.near_duplicate_bands)).iter_rows()]
    assert missing == [True, True, True, False]
    assert frame["signature"][0].sum() == 0
    assert signatures(pl.Series([], dtype=pl.String), SETTINGS).is_empty()


def test_documents_are_described_without_their_text() -> None:
    documents = pl.DataFrame({"id": ["news:00000007", "news:123456789"], "text": ["文字", "文"]})
    frame = describe(documents.with_columns(text_hashes(documents["text"])), SETTINGS)
    assert frame["number"].to_list() == [7, 123456789]
    assert frame["characters"].to_list() == [2, 1]
    assert frame["hash"].n_unique() == 2
    assert "text" not in frame.columns
