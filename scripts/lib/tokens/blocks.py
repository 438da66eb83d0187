"""Packing: documents joined end to end and cut into blocks of one length."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lib.tokens.document_shards import TokenIds

TOKENS_AT_A_TIME = 1 << 20


def pack(documents: Iterable[TokenIds], between: Sequence[int], block_size: int) -> Iterator[TokenIds]:
    """Blocks out of `documents`, each with the tokens `between` before it: arrays [blocks, block_size], many at a time.

    Every token of every document is in exactly one block; the last block is shorter unless the text fits.
    """
    opening = np.asarray(between, np.int32)
    waiting: list[TokenIds] = []
    size = 0
    for document in documents:
        waiting += [opening, document]
        size += len(opening) + len(document)
        if size >= max(TOKENS_AT_A_TIME, block_size):
            tokens = np.concatenate(waiting)
            end = size - size % block_size
            yield tokens[:end].reshape(-1, block_size)
            waiting, size = [tokens[end:]], size - end
    tokens = np.concatenate(waiting) if waiting else np.zeros(0, np.int32)
    end = size - size % block_size
    if end:
        yield tokens[:end].reshape(-1, block_size)
    if end < size:
        yield tokens[None, end:]
