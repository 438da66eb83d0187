"""Packing loses no token and keeps their order."""

from hypothesis import given
from hypothesis import strategies as st

from lib.packing import pack

documents = st.lists(st.lists(st.integers(min_value=1, max_value=99), max_size=30), max_size=8)


@given(documents, st.integers(min_value=1, max_value=16))
def test_every_token_once_in_order(texts: list[list[int]], block_size: int) -> None:
    blocks = list(pack(texts, 0, block_size))
    assert [token for block in blocks for token in block] == [token for text in texts for token in [0, *text]]
    assert all(len(block) == block_size for block in blocks[:-1])
    assert all(0 < len(block) <= block_size for block in blocks)
