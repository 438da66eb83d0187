"""The same text in two vocabularies, position by position."""

import torch
from tokenizers import Tokenizer

from lib.extended_model.aligned_text import collate_texts, replaced_texts
from lib.tokenizer.continued_bpe import constituents
from tiny_model import TEXT, join_neighbours, make_tiny_tokenizer

BEFORE = [0, 1]


def test_every_token_ends_where_the_tokens_end_that_it_replaces() -> None:
    base = Tokenizer.from_str(make_tiny_tokenizer().backend_tokenizer.to_str())
    extended = join_neighbours(base, TEXT, 20)
    found = list(replaced_texts(["", *TEXT], extended, constituents(base, extended), BEFORE))
    assert len(found) == len(TEXT)
    assert sum(len(one.ids) for one in found) < sum(len(one.base_ids) for one in found)
    for text, replaced in zip(TEXT, found, strict=True):
        assert replaced.ids == [*BEFORE, *extended.encode(text).ids]
        assert replaced.base_ids == [*BEFORE, *base.encode(text).ids]
        for position in range(2, len(replaced.ids)):
            one = extended.decode(replaced.ids[2 : position + 1])
            assert base.decode(replaced.base_ids[2 : replaced.ends[position] + 1]) == one


def test_batch_tells_text_from_padding_and_what_stands_before() -> None:
    base = Tokenizer.from_str(make_tiny_tokenizer().backend_tokenizer.to_str())
    batch = collate_texts(list(replaced_texts(["a", "ab cd"], base, {}, BEFORE)), torch.device("cpu"))
    assert batch.ids.shape == batch.ends.shape == batch.is_text.shape
    assert batch.is_text.sum(1).tolist() == [len(base.encode(text).ids) for text in ("a", "ab cd")]
    assert not batch.is_text[:, :2].any()
