"""Continued BPE: base text untouched, every token reachable, exact round trips, for every kind of base."""

import json
import os
import random
import subprocess
import sys
import sysconfig
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from lib.corpus.cleaning.personal_data import KINDS as KINDS_OF_DATA
from lib.tokenizer.continued_bpe import Budget, Goal, constituents, extend_tokenizer
from lib.tokenizer.token_rules import Limits, is_latin
from tokenizers_to_extend import CHINESE, ENGLISH, KINDS, byte_level, learn_from, sentencepiece_legacy

NEW_TOKENS = 90
# Emoji, combining marks, rare Han, other scripts, and everything else that is text.
ANY_TEXT = st.text(
    alphabet=st.one_of(st.sampled_from("刘备曹操天下，。 \n▁aé🙂\u0301\u200d𠀀한글слово"), st.characters(codec="utf-8"))
)
LATIN = st.text(
    alphabet=st.one_of(st.sampled_from(ENGLISH + "“”’—…é🙂"), st.characters(codec="utf-8").filter(is_latin)).filter(
        lambda c: c != "▁"
    )
)


@pytest.fixture(scope="module", params=KINDS)
def base(request: pytest.FixtureRequest) -> Tokenizer:
    return KINDS[request.param]()


@pytest.fixture(scope="module")
def extended(base: Tokenizer) -> Tokenizer:
    return extend_tokenizer(base, learn_from(base, CHINESE, NEW_TOKENS))


def tokens_of(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def new_tokens(base: Tokenizer, extended: Tokenizer) -> dict[int, str]:
    first = max(base.get_vocab().values()) + 1
    return {number: extended.id_to_token(number) for number in range(first, extended.get_vocab_size())}


def test_chinese_takes_fewer_tokens(base: Tokenizer, extended: Tokenizer) -> None:
    assert len(new_tokens(base, extended)) == NEW_TOKENS
    text = "".join(CHINESE)
    assert len(tokens_of(extended, text)) < 0.5 * len(tokens_of(base, text))


def test_every_new_token_can_be_reached(base: Tokenizer, extended: Tokenizer) -> None:
    for number, token in new_tokens(base, extended).items():
        text = extended.decode([number])
        if "\N{REPLACEMENT CHARACTER}" not in text:
            assert [part.id for part in extended.model.tokenize(token)] == [number]
        else:  # part of a character, of which others are made
            assert any(token in merge for merge in merges_of(extended))


def merges_of(tokenizer: Tokenizer) -> list[list[str]]:
    return list(json.loads(tokenizer.to_str())["model"]["merges"])


def test_no_new_token_holds_what_it_should_not(base: Tokenizer, extended: Tokenizer) -> None:
    for number, token in new_tokens(base, extended).items():
        text = extended.decode([number]).strip()
        assert not any(is_latin(character) for character in text if character != "\N{REPLACEMENT CHARACTER}"), token
        marks = [character in "，。、：“”￥" for character in text]
        assert len(set(marks)) == 1 or not any(marks[1:]), token


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limits", [Limits(), Limits(leading_marks=False)])
def test_a_new_token_may_begin_with_a_mark(kind: str, limits: Limits) -> None:
    base = KINDS[kind]()
    extended = extend_tokenizer(base, learn_from(base, CHINESE, 200, limits=limits))
    texts = [extended.decode([number]) for number in new_tokens(base, extended)]
    led = [text for text in texts if text[:1] in set("，。、") and text[1:].isalpha()]
    assert bool(led) == (limits.leading_marks and kind != "byte-level")


def test_base_ids_keep_their_meaning(base: Tokenizer, extended: Tokenizer) -> None:
    assert base.get_vocab().items() <= extended.get_vocab().items()


def test_added_tokens_outside_of_the_model_keep_their_ids(base: Tokenizer) -> None:
    """As the special tokens of Qwen."""
    base = Tokenizer.from_str(base.to_str())
    base.add_special_tokens([AddedToken("<|new|>", special=True, normalized=False)])
    base.add_tokens([AddedToken("GPT-4", normalized=False)])
    extended = Tokenizer.from_str(extend_tokenizer(base, learn_from(base, CHINESE, 30)).to_str())
    assert base.get_vocab().items() <= extended.get_vocab().items()
    assert sorted(extended.get_vocab().values()) == list(range(base.get_vocab_size() + 30))
    text = "GPT-4<|new|>GPT-5 <|ne"
    assert extended.encode(text).ids == base.encode(text).ids


@given(LATIN)
@settings(max_examples=300, deadline=None)
def test_latin_text_is_segmented_as_before(base: Tokenizer, extended: Tokenizer, text: str) -> None:
    assert tokens_of(extended, text) == tokens_of(base, text)


def test_a_megabyte_of_the_base_language_is_segmented_as_before(base: Tokenizer, extended: Tokenizer) -> None:
    """Python's own library: prose, code, every kind of blank and sign."""
    size = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = "".join(filter(is_latin, path.read_text(encoding="utf-8")))
        assert tokens_of(extended, text) == tokens_of(base, text), path
        size += len(text.encode())
        if size > 1_000_000:
            return
    pytest.fail(f"only {size} bytes of text")


@given(ANY_TEXT)
@settings(max_examples=400, deadline=None)
def test_round_trip(base: Tokenizer, extended: Tokenizer, text: str) -> None:
    assert extended.decode(tokens_of(extended, text)) == base.decode(tokens_of(base, text))


def test_same_extension_whatever_the_order_of_the_text(base: Tokenizer) -> None:
    shuffled = CHINESE.copy()
    random.Random(0).shuffle(shuffled)
    assert learn_from(base, CHINESE, 40) == learn_from(base, shuffled, 40)


def test_same_extension_whatever_the_number_of_threads(tmp_path: Path) -> None:
    program = tmp_path / "learn.py"
    program.write_text(
        "from tokenizers_to_extend import CHINESE, byte_level, learn_from\n"
        "print(learn_from(byte_level(), CHINESE * 20, 60))\n"
    )
    path = os.pathsep.join(sys.path)
    said = {
        subprocess.run(
            [sys.executable, program],
            env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": seed, "TOKENIZERS_PARALLELISM": parallel},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, parallel in (("1", "true"), ("2", "false"))
    }
    assert len(said) == 1


def test_size_of_the_vocabulary_as_a_multiple(base: Tokenizer) -> None:
    goal = Goal(21, multiple=16, size_before=base.get_vocab_size())
    for stop in ({}, {"characters_per_token": 0.5}, {"least_gain": 20.0}):
        extended = extend_tokenizer(base, learn_from(base, CHINESE, replace(goal, **stop)))
        assert extended.get_vocab_size() % 16 == 0
        assert extended.get_vocab_size() > base.get_vocab_size()


def test_no_new_token_holds_a_placeholder_of_private_data(base: Tokenizer) -> None:
    text = [f"请写信到{placeholder}刘备收。" for placeholder in (kind.placeholder for kind in KINDS_OF_DATA)] * 9
    extended = extend_tokenizer(base, learn_from(base, text, 60))
    for number in new_tokens(base, extended):
        assert not set("[]_EMAILPHONE") & set(extended.decode([number]))


def test_constituents_spell_the_new_token(base: Tokenizer, extended: Tokenizer) -> None:
    for token_id, parts in constituents(base, extended).items():
        assert len(parts) > 1
        assert base.decode(parts) == extended.decode([token_id])


def test_length_limit_holds_in_characters(base: Tokenizer) -> None:
    extended = extend_tokenizer(base, learn_from(base, CHINESE, 200, maximum_length=2))
    texts = [extended.decode([number]) for number in new_tokens(base, extended)]
    assert max(map(len, texts)) == 2


def test_the_tokenizer_does_what_was_learned(base: Tokenizer) -> None:
    """Merging as learning did, one merge after the other, gives what the finished tokenizer gives."""
    extension = learn_from(base, CHINESE, NEW_TOKENS)
    extended = extend_tokenizer(base, extension)
    characters_only = extend_tokenizer(base, type(extension)(extension.tokens, []))
    for text in CHINESE:
        symbols = [extended.id_to_token(number) for number in tokens_of(characters_only, text)]
        for merge in extension.merges:
            index = 0
            while index + 1 < len(symbols):
                if symbols[index : index + 2] == [merge.left, merge.right]:
                    symbols[index : index + 2] = [merge.token]
                index += 1
        assert symbols == extended.encode(text, add_special_tokens=False).tokens


def test_goal_in_characters_per_token(base: Tokenizer) -> None:
    def reached(extended: Tokenizer) -> float:
        return sum(map(len, CHINESE)) / sum(len(tokens_of(extended, text)) for text in CHINESE)

    extension = learn_from(base, CHINESE, Goal(NEW_TOKENS, characters_per_token=0.7))
    assert len(extension.tokens) < NEW_TOKENS
    assert reached(extend_tokenizer(base, extension)) >= 0.7
    fewer = learn_from(base, CHINESE, len(extension.tokens) - 1)
    assert reached(extend_tokenizer(base, fewer)) < 0.7


def test_goal_in_gain(base: Tokenizer) -> None:
    counts = [len(learn_from(base, CHINESE, Goal(1000, least_gain=gain)).tokens) for gain in (0.0, 10.0, 20.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[1] > counts[2] > 0


@pytest.mark.parametrize("budget", [Budget(tokens=400), Budget(passes=0.5)])
def test_training_sees_every_new_token_often_enough(base: Tokenizer, budget: Budget) -> None:
    """Of the tokens alone that are learned last: longer ones take occurrences from those before."""
    extension = learn_from(base, CHINESE, Goal(1000, budget=budget, least_seen=3))
    assert 5 < len(extension.tokens) < 200
    assert extension.next_seen is not None
    assert extension.next_seen < 3
    ids = [number for text in CHINESE for number in tokens_of(extend_tokenizer(base, extension), text)]
    last = max(new_tokens(base, extend_tokenizer(base, extension)))
    assert budget.seen(ids.count(last), len(ids)) >= 3


def test_a_small_budget_leaves_nothing_to_learn(base: Tokenizer) -> None:
    extension = learn_from(base, CHINESE, Goal(1000, budget=Budget(tokens=2), least_seen=3))
    assert not extension.tokens
    assert not extension.merges


def test_a_larger_budget_takes_more_tokens(base: Tokenizer) -> None:
    counts = [
        len(learn_from(base, CHINESE, Goal(1000, budget=Budget(passes=passes), least_seen=3)).tokens)
        for passes in (0.25, 0.5, 1)
    ]
    assert counts == sorted(set(counts))


def test_times_that_training_sees_a_token() -> None:
    assert Budget(tokens=400).seen(occurrences=50, text_tokens=1_000) == 20
    assert Budget(passes=0.5).seen(occurrences=50, text_tokens=1_000) == 25


def test_a_bounded_sample_does_not_hang_on_the_order_of_texts() -> None:
    base = byte_level()
    texts = [
        f"{first}{second}说：{third}"
        for first, second, third in zip(
            "刘关张曹孙诸" * 9, "备羽飞操权葛" * 9, map(chr, range(0x4E00, 0x4E36)), strict=True
        )
    ]
    whole = learn_from(base, texts, 20)
    for seed in range(3):
        shuffled = random.Random(seed).sample(texts, len(texts))
        some = learn_from(base, shuffled, 20, limit=200)
        assert some == learn_from(base, texts, 20, limit=200)
        assert some != whole


def test_parts_of_characters_only_where_whole_ones_need_them() -> None:
    base = byte_level()
    for number in range(1, 30):
        extension = learn_from(base, CHINESE, number)
        assert len(extension.tokens) == number
        operands = {part for merge in extension.merges for part in (merge.left, merge.right)}
        extended = extend_tokenizer(base, extension)
        for token_id, token in new_tokens(base, extended).items():
            if "\N{REPLACEMENT CHARACTER}" in extended.decode([token_id]):
                assert token in operands


def test_repeated_characters() -> None:
    base = sentencepiece_legacy()
    texts = ["哈" * number for number in range(1, 30)]
    extended = extend_tokenizer(base, learn_from(base, texts, 4, maximum_length=8))
    for text in texts:
        assert extended.decode(tokens_of(extended, text)) == text
    assert len(tokens_of(extended, "哈" * 8)) == 2  # with the blank at the beginning


def test_other_scripts_when_latin_may_change() -> None:
    base = byte_level()
    kept = learn_from(base, ["Das Mädchen übt große Übung. "] * 5, 40)
    free = learn_from(base, ["Das Mädchen übt große Übung. "] * 5, 40, limits=Limits(keep_latin=False))
    assert not kept.tokens
    extended = extend_tokenizer(base, free)
    texts = [extended.decode([number]) for number in new_tokens(base, extended)]
    assert "Mädchen" in {text.strip() for text in texts}
    assert all(first.isalpha() == second.isalpha() for text in texts for first, second in pairwise(text.lstrip()))
