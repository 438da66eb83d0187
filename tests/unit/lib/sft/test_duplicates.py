"""Conversations that repeat one another are found; those that only look alike are not."""

from pathlib import Path

from lib.sft.conversations import Conversation, parse
from lib.sft.duplicates import find_repeated
from lib.sft.turns import Turn
from tiny_model import TEXT


def asked(question: str, answer: str, system: str = "") -> Conversation:
    return parse({"instruction": question, "output": answer, "system": system})


def test_exact_and_near_duplicates(tmp_path: Path) -> None:
    conversations = [
        asked(TEXT[0], "seven"),
        asked(TEXT[1], "eggs"),
        asked(TEXT[0].replace("seven", "nine"), "seven"),
        asked(TEXT[1], "eggs"),
        asked(TEXT[1], "eggs", "Be brief."),
        asked(TEXT[2], "eggs"),
    ]
    assert find_repeated(conversations, 0.8, tmp_path) == {
        2: ("near_duplicate", 0),
        3: ("exact_duplicate", 1),
        4: ("near_duplicate", 1),
    }
    assert find_repeated(conversations, None, tmp_path) == {3: ("exact_duplicate", 1)}
    assert find_repeated([], 0.8, tmp_path) == {}


def test_a_shared_system_prompt_makes_nobody_alike(tmp_path: Path) -> None:
    conversations = [asked(TEXT[number], TEXT[number + 6], system=" ".join(TEXT)) for number in range(3)]
    assert find_repeated(conversations, 0.8, tmp_path) == {}


def test_short_ones_are_compared_exactly(tmp_path: Path) -> None:
    sums = [asked(f"{number} + {number} = ?", f"{2 * number}") for number in (1, 11, 111, 1111, 11)]
    assert find_repeated(sums, 0.8, tmp_path) == {4: ("exact_duplicate", 1)}


def test_what_tools_were_called_counts(tmp_path: Path) -> None:
    calls = [
        Conversation((Turn("user", TEXT[3]), Turn("assistant", "", tool_calls=({"function": {"name": name}},))))
        for name in ("measure", "measure", "paint")
    ]
    assert find_repeated(calls, None, tmp_path) == {1: ("exact_duplicate", 0)}
