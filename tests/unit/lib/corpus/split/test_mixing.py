import polars as pl

from lib.corpus.split.sampling import mixed
from lib.corpus.storage.shards import Counts
from lib.text.hashes import text_hashes

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
