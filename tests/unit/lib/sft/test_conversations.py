"""Records of every layout say the same, and what is wrong with a record is said in one line."""

import json
from typing import Any

import pytest

from lib.core.errors import UserError
from lib.sft.conversations import Conversation, parse
from lib.sft.turns import Turn

TURNS = (
    Turn("system", "简短。"),
    Turn("user", "一加一？"),
    Turn("assistant", "二。"),
    Turn("user", "再加一？"),
    Turn("assistant", "三。"),
)
MESSAGES = [{"role": turn.role, "content": turn.content} for turn in TURNS]
SHAREGPT = [
    {"from": {"user": "human", "assistant": "gpt"}.get(turn.role, turn.role), "value": turn.content} for turn in TURNS
]
ALPACA: dict[str, Any] = {
    "system": "简短。",
    "history": [["一加一？", "二。"]],
    "instruction": "再加一？",
    "input": "",
    "output": "三。",
}
CALL = {"function": {"name": "add", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    "record",
    [
        {"messages": MESSAGES},
        {"messages": json.dumps(MESSAGES)},
        {"conversations": SHAREGPT},
        {"conversations": SHAREGPT[1:], "system": "简短。"},
        {"conversations": MESSAGES},
        {"messages": [{"role": turn.role, "content": [{"type": "text", "text": turn.content}]} for turn in TURNS]},
        {"messages": [message | {"tool_calls": None} for message in MESSAGES], "conversations": None, "tools": None},
        ALPACA,
        ALPACA | {"history": json.dumps(ALPACA["history"])},
    ],
)
def test_every_layout_says_the_same(record: dict[str, Any]) -> None:
    assert parse(record) == Conversation(TURNS)


def test_a_layout_that_is_given_counts() -> None:
    record = {"messages": MESSAGES, "instruction": "问", "output": "答"}
    assert len(parse(record).turns) == 5
    assert parse(record, "alpaca").turns == (Turn("user", "问"), Turn("assistant", "答"))


def test_calls_of_functions_and_their_results() -> None:
    turns = parse(
        {
            "messages": [
                {"role": "user", "content": "1+1?"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": "2"},
                {"role": "assistant", "content": "It is 2."},
            ],
            "tools": json.dumps([{"type": "function", "function": {"name": "add"}}]),
        }
    ).turns
    assert turns[1].tool_calls == ({"type": "function", "function": {"name": "add", "arguments": {"a": 1}}},)
    names = ["human", "function_call", "observation", "gpt"]
    roles = [turn.role for turn in parse({"conversations": [{"from": name, "value": "x"} for name in names]}).turns]
    assert roles == [turn.role for turn in turns] == ["user", "assistant", "tool", "assistant"]


def said(*roles: str) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": "x"} for role in roles]}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (["a"], r"expected an object with keys, found \[\"a\"\]"),
        ({"question": "a"}, r"none of the keys messages, conversations, instruction; found: question"),
        ({"instruction": "a", "response": "b"}, r"no 'output'; found: instruction, response"),
        ({"instruction": "a", "output": " "}, r"turn 2: the response is empty"),
        ({"instruction": " ", "output": "b"}, r"turn 1: the question is empty"),
        ({"instruction": ["a"], "output": "b"}, r"instruction must be text, not \[\"a\"\]"),
        ({"instruction": "a", "output": "\ud800"}, r"output holds half a surrogate pair"),
        ({"instruction": "a", "output": "b", "history": [["c"]]}, r"history must be a list of \[question, answer\]"),
        ({"messages": "a"}, r"messages is not JSON"),
        ({"messages": {"role": "user"}}, r"messages must be a list"),
        ({"messages": []}, r"the last turn is missing; it must be the assistant's"),
        ({"messages": ["a"]}, r"messages, turn 1: expected an object"),
        ({"messages": [{"role": "user"}]}, r"messages, turn 1: no 'content'; found: role"),
        ({"messages": [{"content": "a"}]}, r"messages, turn 1: no role or from; found: content"),
        (said("user", "narrator"), r"messages, turn 2: unknown role \"narrator\"; known: system, "),
        (said("user", "user"), r"turn 2 is user after user; the order is system \(or none\)"),
        (said("assistant"), r"turn 1 is assistant after nothing"),
        (said("user", "assistant", "system"), r"turn 3 is system after assistant"),
        (said("user", "tool"), r"turn 2 is tool after user"),
        (said("user", "assistant", "tool", "user"), r"turn 4 is user after tool"),
        (said("user", "assistant", "user"), r"the last turn is user; it must be the assistant's"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, r"may hold parts of text only"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"name": "f"}]}]}, r"needs a function with a name"),
    ],
)
def test_what_is_wrong_with_a_record(record: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(record)


def test_the_oldest_questions_go_first() -> None:
    conversation = Conversation((*TURNS[:3], Turn("tool", "t"), Turn("assistant", "u"), *TURNS[3:]))
    shorter = conversation.without_oldest()
    assert shorter == Conversation((TURNS[0], *TURNS[3:]))
    assert shorter.without_oldest() is None


def test_prompts_are_told_apart_by_system_prompt_and_first_question() -> None:
    first = parse({"instruction": "a  b", "output": "c"})
    assert first.prompt == parse(said("user", "assistant")).prompt.replace("x", "a b")
    assert first.prompt != parse({"instruction": "a b", "output": "c", "system": "s"}).prompt
    assert parse({"messages": MESSAGES}).prompt == parse({"messages": MESSAGES[:3]}).prompt
    assert parse({"instruction": "a", "input": "b", "output": "d"}).prompt == first.prompt
    assert parse({"instruction": "a", "output": "d"}).prompt != first.prompt
