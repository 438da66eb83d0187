"""Packing loses no token and keeps their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.tokens import blocks
from lib.tokens.blocks import pack

documents = st.lists(st.lists(st.integers(min_value=1, max_value=99), max_size=30), max_size=8)


@pytest.mark.parametrize("at_a_time", [1, 20, blocks.TOKENS_AT_A_TIME])
def test_every_token_once_in_order(at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "TOKENS_AT_A_TIME", at_a_time)

    @given(documents, st.integers(min_value=1, max_value=16), st.sampled_from([[0], [100, 101]]))
    def law(texts: list[list[int]], block_size: int, between: list[int]) -> None:
        arrays = (np.asarray(text, np.int32) for text in texts)
        blocks = [block.tolist() for rows in pack(arrays, between, block_size) for block in rows]
        assert [token for block in blocks for token in block] == [
            token for text in texts for token in [*between, *text]
        ]
        assert all(len(block) == block_size for block in blocks[:-1])
        assert all(0 < len(block) <= block_size for block in blocks)

    law()
