"""Shards of tokens read as one sequence, however many there are."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import UserError
from lib.tokens.document_shards import Documents, DocumentWriter

documents = st.lists(st.lists(st.integers(min_value=0, max_value=99), max_size=9), max_size=12)


@given(documents, st.integers(min_value=1, max_value=4), st.integers(min_value=1, max_value=3))
def test_the_number_of_shards_does_not_show(texts: list[list[int]], shards: int, batch: int) -> None:
    with TemporaryDirectory() as directory:
        paths = [Path(directory) / f"{shard}.arrow" for shard in range(shards)]
        for shard, path in enumerate(paths):
            numbers = list(range(shard, len(texts), shards))
            with DocumentWriter(path) as writer:
                for start in range(0, len(numbers), batch):
                    chosen = numbers[start : start + batch]
                    writer.write(chosen, [np.asarray(texts[number], np.int32) for number in chosen])
        found = Documents(paths)
        assert [document.tolist() for document in found] == texts
        assert found.lengths.tolist() == [len(text) for text in texts]
        assert len(found) == len(texts)


def test_copies_stay_side_by_side(tmp_path: Path) -> None:
    with DocumentWriter(tmp_path / "0.arrow") as writer:
        writer.write([0, 0, 2], [np.asarray([5], np.int32)] * 2 + [np.asarray([7], np.int32)])
    with DocumentWriter(tmp_path / "1.arrow") as writer:
        writer.write([1], [np.asarray([6], np.int32)])
    found = Documents([tmp_path / "0.arrow", tmp_path / "1.arrow"])
    assert [document.tolist() for document in found] == [[5], [5], [6], [7]]


@pytest.mark.fault
@pytest.mark.parametrize("left", [0, 9, 200, -40])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, left: int) -> None:
    path = tmp_path / "0000.arrow"
    with DocumentWriter(path) as writer:
        writer.write([0, 1], [np.arange(300, dtype=np.int32), np.arange(500, dtype=np.int32)])
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(UserError, match=r"0000\.arrow cannot be read \(.+\); delete it and run again"):
        Documents([path])
