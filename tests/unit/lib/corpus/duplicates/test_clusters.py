import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.duplicates.clusters import find_duplicates, unite
from lib.corpus.duplicates.minhash import describe
from lib.settings.corpus import DeduplicationSettings, SignatureSettings
from lib.text.hashes import text_hashes
from planted import by_kind, plant, score

SIMILARITY = DeduplicationSettings().near_duplicate_similarity
SCHEMA = {"id": pl.String, "text": pl.String}
CHARACTERS = [chr(code) for code in range(0x4E00, 0x5200)]


def random_text(rng: random.Random, length: int = 300) -> str:
    return "".join(rng.choices(CHARACTERS, k=length)) + "\n" + "".join(rng.choices(CHARACTERS, k=length))


def write(directory: Path, name: str, texts: Sequence[str], shards: int) -> list[Path]:
    """Signature files of a source, dealt round robin."""
    frame = pl.DataFrame({"id": [f"{name}:{number:08d}" for number in range(len(texts))], "text": texts}, schema=SCHEMA)
    frame = frame.with_columns(text_hashes(frame["text"]))
    paths = []
    for shard in range(shards):
        path = directory / f"{name}-{shard}.parquet"
        describe(frame[shard::shards], SignatureSettings()).write_parquet(path)
        paths.append(path)
    return paths


def duplicates(
    directory: Path, sources: Sequence[Sequence[str]], shards: int = 1, similarity: float | None = SIMILARITY
) -> list[tuple[int, int, int, str]]:
    """(number, source, original, rule) of the last source's duplicates."""
    scratch = directory / f"scratch-{shards}-{len(sources)}-{similarity}"
    scratch.mkdir()
    files = [write(directory, f"s{shards}-{place}", texts, shards) for place, texts in enumerate(sources)]
    return find_duplicates(files, similarity, scratch).select("number", "source", "original", "rule").rows()


def test_the_most_preferred_member_stays(tmp_path: Path) -> None:
    rng = random.Random(1)
    a, b, c, d = (random_text(rng) for _ in range(4))
    near_a, near_c = f"{a}，完", f"题：{c}"
    first = [a, b]
    second = [near_a, c, d, near_c, f" {d}", b.upper()]
    assert duplicates(tmp_path, [first]) == []
    assert duplicates(tmp_path, [first, second]) == [
        (0, 0, 0, "near_duplicate"),
        (3, 1, 1, "near_duplicate"),
        (4, 1, 2, "exact_duplicate"),
        (5, 0, 1, "exact_duplicate"),
    ]
    assert duplicates(tmp_path, [first, second], similarity=None) == [
        (4, 1, 2, "exact_duplicate"),
        (5, 0, 1, "exact_duplicate"),
    ]


def test_short_texts_are_found_when_they_are_the_same(tmp_path: Path) -> None:
    assert duplicates(tmp_path, [["甲", "乙", "，", "甲", "！"]]) == [(3, 0, 0, "exact_duplicate")]


def test_nothing_to_look_at(tmp_path: Path) -> None:
    assert duplicates(tmp_path, [[]]) == []
    assert duplicates(tmp_path, [["甲"], []], shards=2) == []


def test_a_thousand_copies_leave_one(tmp_path: Path) -> None:
    rng = random.Random(1)
    text = random_text(rng)
    texts = [f"{text}{number}" for number in range(1000)]
    assert [row[0] for row in duplicates(tmp_path, [texts])] == list(range(1, 1000))


def test_the_result_does_not_depend_on_the_number_of_shards(tmp_path: Path) -> None:
    rng = random.Random(1)
    documents = [document.text for document in plant([random_text(rng) for _ in range(40)], 20, 1)]
    sources = [documents[:100], documents[100:150], documents[150:]]
    found = [duplicates(tmp_path, sources, shards) for shards in (1, 3, 8)]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 20


def test_planted_copies_are_found_and_nothing_else(tmp_path: Path) -> None:
    rng = random.Random(1)
    documents = plant([random_text(rng) for _ in range(120)], 60, 1)
    recall = {}
    for number, (kind, members) in enumerate(by_kind(documents)):
        directory = tmp_path / str(number)
        directory.mkdir()
        removed = {row[0] for row in duplicates(directory, [[document.text for document in members]])}
        scores = score(members, [place in removed for place in range(len(members))])
        assert scores.precision == 1, kind
        recall[kind] = scores.recall
    for kind in ("0 % edited", "1 % edited", "traditional", "boilerplate around", "paragraphs reordered"):
        assert recall[kind] == 1, recall
    assert recall["2 % edited"] >= 0.9
    assert recall["3 % edited"] >= 0.6
    assert recall["30 % edited"] == 0  # no five characters in a row are left


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30), st.integers(1, 30))
def test_labels_are_the_lowest_members_of_the_connected_components(pairs: list[tuple[int, int]], step: int) -> None:
    labels = np.arange(20)
    for start in range(0, len(pairs), step):
        unite(labels, np.array(pairs[start : start + step]).reshape(-1, 2))
    expected = list(range(20))
    for _ in range(20):
        for a, b in pairs:
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert labels.tolist() == expected


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        duplicates(tmp_path, [["五个汉字符", "五个汉字符！"]])
