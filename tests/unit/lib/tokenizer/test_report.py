"""The report's figures, counted by hand."""

import json
import re

import pytest
from tokenizers import Tokenizer

from lib.tokenizer.continued_bpe import extend_tokenizer
from lib.tokenizer.report import by_vocabulary, compare, segmented, table
from tokenizers_to_extend import KINDS, byte_level, learn_from

HELD_OUT = [("stories", "刘备说a。"), ("letters", "曹操\n曹操"), ("stories", "x")]


@pytest.fixture(scope="module")
def base() -> Tokenizer:
    return byte_level()


@pytest.fixture(scope="module")
def extended(base: Tokenizer) -> Tokenizer:
    return extend_tokenizer(base, learn_from(base, ["曹操\n刘备说。"] * 5, 15))


def test_figures_of_bytes(base: Tokenizer, extended: Tokenizer) -> None:
    """The base spells every Chinese character in three tokens."""
    report = compare(base, extended, HELD_OUT)
    stories = by_vocabulary(report, "stories")["base"]
    assert (stories["documents"], stories["characters"], stories["bytes"], stories["tokens"]) == (2, 6, 14, 14)
    assert stories["characters_per_token"] == round(6 / 14, 4)
    assert stories["bytes_per_token"] == 1
    assert stories["tokens_per_chinese_character"] == 3
    assert stories["whole_characters"] == round(2 / 6, 4)
    assert by_vocabulary(report)["base"]["characters"] == 11
    assert [row["source"] for row in report["sources"]] == ["letters"] * 2 + ["stories"] * 2 + ["all"] * 2
    assert table(report).shape[0] == 6


def test_new_tokens(base: Tokenizer, extended: Tokenizer) -> None:
    report = compare(base, extended, HELD_OUT)
    assert report["new_tokens"] == 15
    assert report["most_frequent"][0] == {"token": "曹操", "count": 2}
    assert 0 < report["new_tokens_used"] < 10
    assert report["characters_in_new_tokens"] == round(8 / 11, 4)
    assert len(report["longest"][0]) == max(map(len, report["longest"]))
    assert json.loads(json.dumps(report)) == report


def test_examples_side_by_side(base: Tokenizer, extended: Tokenizer) -> None:
    examples = compare(base, extended, HELD_OUT)["examples"]
    assert [example["source"] for example in examples] == ["stories", "letters", "stories"]
    assert examples[1]["base"] == "曹(3)|操(3)"
    assert examples[1]["extended"] == "曹操"


@pytest.mark.parametrize("kind", KINDS)
def test_segments_join_to_the_text(kind: str) -> None:
    found = segmented(KINDS[kind](), "fox 𠀀龘")
    assert found.endswith("|𠀀(4)|龘(3)")
    assert re.sub(r"\||\(\d\)", "", found) == "fox 𠀀龘"


def test_nothing_held_out(base: Tokenizer, extended: Tokenizer) -> None:
    report = compare(base, extended, [])
    assert report["sources"] == []
    assert by_vocabulary(report) == {}
    assert report["new_tokens_used"] == 0
