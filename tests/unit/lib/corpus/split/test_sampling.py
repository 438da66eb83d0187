import numpy as np
import polars as pl

from lib.corpus.split.sampling import are_held_out, copies, mixed, places
from lib.corpus.storage.shards import Counts
from lib.text.hashes import text_hashes

HASHES = text_hashes(pl.Series([f"文件{number}" for number in range(2000)]))


def test_the_share_held_out_is_about_what_was_asked_for() -> None:
    assert 60 <= are_held_out(HASHES, 0.05, 1).sum() <= 140


def test_the_split_hangs_on_text_and_seed_alone() -> None:
    held_out = are_held_out(HASHES, 0.3, 1)
    assert (are_held_out(HASHES.reverse(), 0.3, 1)[::-1] == held_out).all()
    assert (are_held_out(HASHES[500:600], 0.3, 1) == held_out[500:600]).all()
    assert (are_held_out(HASHES, 0.3, 2) != held_out).any()


def test_a_larger_share_holds_out_the_same_documents_and_more() -> None:
    few, many = (are_held_out(HASHES, fraction, 1) for fraction in (0.1, 0.2))
    assert not (few & ~many).any()


def test_documents_are_copied_as_often_as_their_weight_says() -> None:
    assert set(copies(HASHES, 1, 1)) == {1}
    assert set(copies(HASHES, 2, 1)) == {2}
    half = copies(HASHES, 0.5, 1)
    assert set(half) == {0, 1}
    assert 900 <= half.sum() <= 1100
    more = copies(HASHES, 2.25, 1)
    assert set(more) == {2, 3}
    assert 4400 <= more.sum() <= 4600


def test_lots_are_drawn_apart() -> None:
    """What is held out has nothing to do with what is taken first."""
    held_out, place = are_held_out(HASHES, 0.5, 1), places(HASHES, 1)
    assert len(np.unique(place)) == len(HASHES)
    assert abs(np.mean(place[held_out] < 2**63) - 0.5) < 0.05
    assert abs(np.mean(copies(HASHES, 0.5, 1)[held_out]) - 0.5) < 0.05


def test_no_documents() -> None:
    assert len(are_held_out(HASHES[:0], 0.5, 1)) == 0


TEXTS = pl.Series([f"这是第{number}篇文章。" for number in range(100)])
DOCUMENTS = pl.DataFrame({"id": [f"news:{number}" for number in range(100)], "text": TEXTS, "hash": text_hashes(TEXTS)})
WHOLE = {"weight": 1, "max_characters": None, "before": None}


def test_all_documents_are_taken_once() -> None:
    counts: Counts = {}
    assert mixed(DOCUMENTS, WHOLE, 1, counts).equals(DOCUMENTS.select("id", "text"))
    assert counts == {key: {"documents": 0, "characters": 0} for key in ("weight", "max_characters", "repeat")}


def test_documents_are_taken_twice() -> None:
    counts: Counts = {}
    taken = mixed(DOCUMENTS, WHOLE | {"weight": 2}, 1, counts)
    assert taken["id"][:3].to_list() == ["news:0", "news:0#2", "news:1"]
    assert taken["id"].n_unique() == len(taken) == 200
    assert counts["repeat"] == {"documents": 100, "characters": TEXTS.str.len_chars().sum()}


def test_some_documents_are_left_out() -> None:
    counts: Counts = {}
    taken = mixed(DOCUMENTS, WHOLE | {"weight": 0.5, "before": 2**63}, 1, counts)
    assert 10 <= len(taken) <= 40
    assert len(taken) + counts["weight"]["documents"] + counts["max_characters"]["documents"] == 100
    assert not counts["repeat"]["documents"]


def test_what_is_taken_hangs_on_a_document_alone() -> None:
    mix = WHOLE | {"weight": 1.5, "before": 2**63}
    parts = [mixed(part, mix, 1, {}) for part in (DOCUMENTS[:30], DOCUMENTS[30:30], DOCUMENTS[30:])]
    assert pl.concat(parts).equals(mixed(DOCUMENTS, mix, 1, {}))
