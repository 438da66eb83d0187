"""Text in two vocabularies, position by position: what new rows are fitted on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from lib.extended_model.rows import Constituents


@dataclass(frozen=True)
class ReplacedText:
    """A piece of text with new tokens, and the same with the base tokens that they replace."""

    ids: list[int]
    base_ids: list[int]
    ends: list[int]
    """For each of `ids`, the position in `base_ids` of the last token that it stands for."""
    before: int
    """Number of tokens that stand before the text in both."""


@dataclass(frozen=True)
class Batch:
    """Several `ReplacedText`, padded on the right; shapes are (texts, positions)."""

    ids: torch.Tensor
    base_ids: torch.Tensor
    ends: torch.Tensor
    is_text: torch.Tensor
    """Where `ids` has a token of the text: neither what stands before it nor padding."""


def replaced_texts(
    texts: Iterable[str], extended: Tokenizer, constituents: Constituents, before: Sequence[int]
) -> Iterator[ReplacedText]:
    """Each text that has a token, with the tokens `before` that begin a text."""
    for text in texts:
        ids = extended.encode(text, add_special_tokens=False).ids
        if not ids:
            continue
        base_ids, ends = [*before], [*range(len(before))]
        for token_id in ids:
            base_ids += constituents.get(token_id, [token_id])
            ends.append(len(base_ids) - 1)
        yield ReplacedText([*before, *ids], base_ids, ends, len(before))


def collate_texts(texts: Sequence[ReplacedText], device: torch.device) -> Batch:
    """The texts as one batch on `device`."""

    def padded(rows: Sequence[Sequence[int]]) -> torch.Tensor:
        tensors = [torch.tensor(row) for row in rows]
        return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True).to(device)

    is_text = padded([[0] * text.before + [1] * (len(text.ids) - text.before) for text in texts]).bool()
    return Batch(
        padded([text.ids for text in texts]),
        padded([text.base_ids for text in texts]),
        padded([text.ends for text in texts]),
        is_text,
    )
