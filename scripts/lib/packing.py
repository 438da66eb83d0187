"""Packing: documents joined end to end and cut into blocks of one length."""

from collections.abc import Iterable, Iterator


def pack(documents: Iterable[list[int]], separator: int, block_size: int) -> Iterator[list[int]]:
    """Blocks of `block_size` token ids out of `documents`, each opened by `separator`.

    Every token of every document is in exactly one block; the last block is shorter unless the text fits.
    """
    block: list[int] = []
    for document in documents:
        block.append(separator)
        block += document
        start = 0
        while len(block) - start >= block_size:
            yield block[start : start + block_size]
            start += block_size
        block = block[start:]
    if block:
        yield block
