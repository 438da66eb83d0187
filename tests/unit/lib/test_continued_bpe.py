"""Continued BPE: base text untouched, every token reachable, exact round trips."""

import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from lib.continued_bpe import check_extensible, constituents, count_pieces, extend, learn_merges
from lib.errors import UserError

ENGLISH = "The quick brown fox jumps over the lazy dog, and the dog sleeps on while the fox runs away. " * 3
CHINESE = [
    "话说天下大势，分久必合，合久必分。",
    "刘备、关羽、张飞三人在桃园结义，誓同生死。",
    "曹操引大军南下，孙权与刘备合兵拒之于赤壁。",
    "诸葛亮对刘备说：天下三分，可先取荆州为家。",
] * 5


@pytest.fixture(scope="module")
def base() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([ENGLISH], trainers.BpeTrainer(vocab_size=320, initial_alphabet=sorted(alphabet)))
    return tokenizer


@pytest.fixture(scope="module")
def extended(base: Tokenizer) -> Tokenizer:
    return extend(base, learn_merges(base, count_pieces(base, CHINESE), 60))


def test_chinese_takes_fewer_tokens_and_every_new_token_is_used(base: Tokenizer, extended: Tokenizer) -> None:
    assert extended.get_vocab_size() == base.get_vocab_size() + 60
    text = "".join(CHINESE)
    assert len(extended.encode(text).ids) < 0.5 * len(base.encode(text).ids)
    reachable = {token for piece in count_pieces(base, CHINESE) for token in _all_merge_results(extended, piece)}
    assert set(extended.get_vocab()) - set(base.get_vocab()) <= reachable


def _all_merge_results(tokenizer: Tokenizer, piece: str) -> set[str]:
    """Every token that appears at some point while `piece` is merged."""
    model = json.loads(tokenizer.to_str())["model"]
    ranks = {tuple(pair): rank for rank, pair in enumerate(model["merges"])}
    symbols, seen = list(piece), set(piece)
    while pairs := [(ranks[pair], i) for i, pair in enumerate(zip(symbols, symbols[1:], strict=False)) if pair in ranks]:
        _, i = min(pairs)
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
        seen.add(symbols[i])
    return seen


def test_base_ids_keep_their_meaning(base: Tokenizer, extended: Tokenizer) -> None:
    assert base.get_vocab().items() <= extended.get_vocab().items()


@given(st.text(alphabet=st.characters(max_codepoint=127)))
@settings(max_examples=200, deadline=None)
def test_ascii_is_segmented_as_before(base: Tokenizer, extended: Tokenizer, text: str) -> None:
    assert extended.encode(text).ids == base.encode(text).ids


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_round_trip(base: Tokenizer, extended: Tokenizer, text: str) -> None:
    assert extended.decode(extended.encode(text).ids) == base.decode(base.encode(text).ids)


def test_same_merges_whatever_the_order_of_the_text(base: Tokenizer) -> None:
    shuffled = CHINESE.copy()
    random.Random(0).shuffle(shuffled)
    in_order, reordered = (learn_merges(base, count_pieces(base, texts), 40) for texts in (CHINESE, shuffled))
    assert in_order == reordered


def test_constituents_spell_the_new_token(base: Tokenizer, extended: Tokenizer) -> None:
    for token_id, parts in constituents(base, extended).items():
        assert len(parts) > 1
        assert "".join(base.id_to_token(part) for part in parts) == extended.id_to_token(token_id)


def test_length_limit_holds_in_characters(base: Tokenizer) -> None:
    merges = learn_merges(base, count_pieces(base, CHINESE), 200, maximum_length=2)
    limited = extend(base, merges)
    for merge in merges:
        text = limited.decode([limited.token_to_id(merge.token)])
        assert len(text.replace("\N{REPLACEMENT CHARACTER}", "")) <= 2


def test_fewer_tokens_than_asked_for_when_the_text_is_short(base: Tokenizer) -> None:
    assert len(learn_merges(base, Counter({"ä½ł": 2}), 100)) <= 2


def test_other_kinds_of_tokenizer_are_refused() -> None:
    with pytest.raises(UserError, match="Unigram model; only BPE"):
        check_extensible(Tokenizer(models.Unigram()))
    with pytest.raises(UserError, match="not byte-level"):
        check_extensible(Tokenizer(models.BPE()))
