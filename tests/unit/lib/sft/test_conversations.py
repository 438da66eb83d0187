"""Records of every layout say the same, and what is wrong with a record is said in one line."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core.errors import UserError
from lib.sft.conversations import Conversation, parse
from lib.sft.layouts import ROLES
from lib.sft.repairs import UntrainedError
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
    written = [
        {"from": "human", "value": "x"},
        {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
    ]
    later = [{"from": "observation", "value": "2"}, {"from": "gpt", "value": "x"}]
    assert parse({"conversations": written + later}).turns[1] == turns[1]
    names = ["human", "function_call", "observation", "gpt"]
    roles = [turn.role for turn in parse({"conversations": [{"from": name, "value": "x"} for name in names]}).turns]
    assert roles == [turn.role for turn in turns] == ["user", "assistant", "tool", "assistant"]


def said(*roles: str) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": "x"} for role in roles]}


def weighted(weight: float) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "x"}, {"role": "assistant", "content": "x", "weight": weight}]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (["a"], r"expected an object with keys, found \[\"a\"\]"),
        ({"topic": "a"}, r"none of the keys messages, conversations, instruction; found: topic"),
        ({"instruction": "a", "chosen": "b"}, r"no 'output'; found: chosen, instruction"),
        ({"instruction": "a", "output": " "}, r"turn 2: the answer is empty"),
        ({"instruction": "你好", "output": ""}, r"turn 2: the answer is empty"),
        ({"instruction": "你好", "output": None}, r"turn 2: the answer is empty"),
        ({"instruction": "你好", "output": float("nan")}, r"turn 2: the answer is empty"),
        ({"instruction": " ", "output": "b"}, r"turn 1: the question is empty"),
        ({"instruction": {"a": 1}, "output": "b"}, r"instruction must be text, not {\"a\": 1}"),
        ({"instruction": "a", "output": "\ud800"}, r"output holds half a surrogate pair"),
        ({"instruction": "a", "output": "\ufffd"}, r"output holds U\+FFFD"),
        ({"instruction": "a", "output": "b", "history": [["c"]]}, r"history must be a list of \[question, answer\]"),
        ({"messages": "a"}, r"messages is not JSON"),
        ({"messages": {"role": "user"}}, r"messages must be a list"),
        ({"messages": []}, r"no question is followed by an answer"),
        ({"messages": ["a"]}, r"messages, turn 1: expected an object"),
        ({"messages": [{"role": "user"}]}, r"messages, turn 1: no 'content'; found: role"),
        ({"messages": [{"content": "a"}]}, r"messages, turn 1: no role or from; found: content"),
        (said("user", "narrator"), r"messages, turn 2: unknown role \"narrator\"; known: system, "),
        (
            said("user", "assistant", "assistant"),
            r"turn 3 is assistant after assistant; the order is",
        ),
        (said("assistant"), r"no question is followed by an answer"),
        (said("user", "system"), r"no question is followed by an answer"),
        (said("user", "tool", "assistant"), r"turn 2 is tool after user"),
        (said("user", "assistant", "tool", "user", "assistant"), r"turn 4 is user after tool"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, r"may hold parts of text only"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "f"}]}]}, r"needs a function with a name"),
        ({**said("user", "assistant"), "tools": ["f"]}, r"a tool needs a function with a name"),
        ({"messages": weighted(0.5)}, r"weight must be 0 or 1, not 0.5"),
    ],
)
def test_what_is_wrong_with_a_record(record: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(record)


def test_a_leading_answer_is_dropped() -> None:
    conversation = parse(said("assistant", "user", "assistant"))
    assert [turn.role for turn in conversation.turns] == ["user", "assistant"]
    assert conversation.repairs == ("leading_answer_dropped",)


def test_questions_in_a_row_are_joined() -> None:
    record = {"messages": [{"role": "user", "content": "在吗"}, *MESSAGES[1:3]]}
    conversation = parse(record)
    assert conversation.turns == (Turn("user", "在吗\n一加一？"), TURNS[2])
    assert conversation.repairs == ("questions_joined",)


def test_a_last_question_is_dropped() -> None:
    conversation = parse(said("user", "assistant", "system", "user"))
    assert [turn.role for turn in conversation.turns] == ["user", "assistant"]
    assert conversation.repairs == ("last_question_dropped",)


def test_a_later_system_prompt_stays_where_it_is() -> None:
    roles = ["user", "assistant", "system", "user", "assistant"]
    conversation = parse(said(*roles))
    assert [turn.role for turn in conversation.turns] == roles
    assert conversation.repairs == ()
    shorter = conversation.without_oldest()
    assert shorter
    assert [turn.role for turn in shorter.turns] == roles[2:]


def test_system_prompts_in_a_row_are_joined() -> None:
    record = {"system": "甲", "messages": [{"role": "system", "content": "乙"}, *MESSAGES[1:3]]}
    conversation = parse(record)
    assert conversation.turns == (Turn("system", "甲\n\n乙"), *TURNS[1:3])
    assert conversation.repairs == ("system_prompts_joined",)


@pytest.mark.parametrize("name", ["bot", "Bot", "chatbot", "AI", "gpt", "model", " assistant "])
def test_names_of_the_assistant(name: str) -> None:
    record = {"conversations": [{"from": "user", "value": "你好"}, {"from": name, "value": "你好"}]}
    assert parse(record).turns == (Turn("user", "你好"), Turn("assistant", "你好"))


@pytest.mark.parametrize(("value", "text"), [(2, "2"), (2.5, "2.5"), (True, "true")])
def test_a_number_as_answer_becomes_text(value: object, text: str) -> None:
    conversation = parse({"instruction": "1+1", "output": value})
    assert conversation.turns[-1] == Turn("assistant", text)
    assert conversation.repairs == ("number_as_text",)


@pytest.mark.parametrize(
    ("question", "answer"),
    [("prompt", "completion"), ("query", "response"), ("question", "answer"), ("instruction", "output")],
)
def test_other_names_of_question_and_answer(question: str, answer: str) -> None:
    conversation = parse({question: "你好", answer: "你好！"})
    assert conversation.turns == (Turn("user", "你好"), Turn("assistant", "你好！"))
    assert conversation.repairs == conversation.unread_keys == ()


def test_question_and_answer_as_lists_of_turns() -> None:
    record = {"prompt": MESSAGES[:4], "completion": MESSAGES[4:]}
    assert parse(record) == Conversation(TURNS)


def test_columns_name_the_keys() -> None:
    record = {"q": "问", "gold": "答", "output": "别的"}
    conversation = parse(record, columns={"instruction": "q", "output": "gold"})
    assert conversation.turns == (Turn("user", "问"), Turn("assistant", "答"))
    assert conversation.unread_keys == ("output",)
    with pytest.raises(UserError, match=r"none of the keys messages, conversations, q; found: gold, question"):
        parse({"question": "问", "gold": "答"}, columns={"instruction": "q", "output": "gold"})
    turns = [{"speaker": "user", "text": "问"}, {"speaker": "bot", "text": "答"}]
    columns = {"messages": "talk", "role": "speaker", "content": "text"}
    assert parse({"talk": turns}, columns=columns).turns == conversation.turns
    with pytest.raises(
        UserError, match=r"no 'gold' \(named in the sheet's column columns as output\); found: output, q"
    ):
        parse({"q": "问", "output": "答"}, columns={"instruction": "q", "output": "gold"})


def test_weights_of_zero_are_not_trained() -> None:
    turns = parse({"messages": weighted(0) + weighted(1)}).turns
    assert [turn.is_trained for turn in turns if turn.role == "assistant"] == [False, True]
    assert [turn.role for turn in turns] == ["user", "assistant"] * 2


@pytest.mark.parametrize(
    ("key", "no", "yes"), [("train", False, True), ("training", "false", "true"), ("loss", 0, 1.0)]
)
def test_other_names_of_the_weight(key: str, no: object, yes: object) -> None:
    values = {"from": "gpt", "value": "x"}
    human = {"from": "human", "value": "x", key: False}
    record = {"conversations": [human, values | {key: no}, human, values | {key: yes}]}
    conversation = parse(record)
    assert [turn.is_trained for turn in conversation.turns if turn.role == "assistant"] == [False, True]
    assert conversation.unread_keys == ()


@pytest.mark.parametrize(
    "record",
    [
        {"messages": weighted(0)},
        {"messages": weighted(1), "train": False},
        {"prompt": "a", "response": "b", "weight": 0},
    ],
)
def test_a_record_that_is_not_to_be_trained(record: Any) -> None:
    with pytest.raises(UntrainedError, match="to be trained"):
        parse(record)


def test_an_empty_key_gives_way_to_another_name() -> None:
    conversation = parse({"instruction": "", "prompt": "问", "output": "答", "reasoning": "", "thinking": "想"})
    assert conversation.turns == (Turn("user", "问"), Turn("assistant", "答", reasoning_content="想"))
    with pytest.raises(UserError, match="the answer is empty"):
        parse({"query": "问", "response": ""})


def test_figures_in_keys_named_like_a_weight_are_not_read() -> None:
    answer = {"role": "assistant", "content": "x", "loss": 0.93}
    record = {"messages": [{"role": "user", "content": "x", "weight": 1}, answer]}
    assert parse(record).unread_keys == ("messages[].weight", "messages[].loss")


def test_a_conversation_ends_with_its_last_answer_that_is_trained() -> None:
    conversation = parse({"messages": weighted(1) + weighted(0)})
    assert len(conversation.turns) == 2
    assert conversation.repairs == ("untrained_end_dropped",)


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_reach_the_template(key: str) -> None:
    messages = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2", key: "想想"}]
    for record in ({"messages": messages}, {"instruction": "1+1?", "output": "2", key: "想想"}):
        conversation = parse(record)
        assert conversation.turns[-1].reasoning_content == "想想"
        assert conversation.messages("")[-1]["reasoning_content"] == "想想"
        assert conversation.unread_keys == ()


@pytest.mark.parametrize("mode", ["on", "Off", True])
def test_whether_an_answer_was_thought_about_is_no_thought(mode: object) -> None:
    conversation = parse({"instruction": "1+1?", "output": "2", "reasoning": mode})
    assert conversation.turns[-1].reasoning_content == ""
    assert conversation.unread_keys == ("reasoning",)


def test_keys_that_nothing_reads_are_named() -> None:
    assert parse({"instruction": "你好", "output": "你好！", "anser": "x", "note": None}).unread_keys == ("anser",)
    turn = {"role": "assistant", "content": "x", "name": "Li"}
    record = {**said("user"), "id": 1}
    record["messages"] += [turn, *record["messages"], turn]
    assert parse(record).unread_keys == ("id", "messages[].name")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "gpt", "system", "tool", "[]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
TURN = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from([*ROLES, "narrator"]) | JSON,
        "from": st.sampled_from([*ROLES]),
        "content": JSON,
        "value": st.text(min_size=1),
        "weight": st.sampled_from([0, 1, True, "0", 2]),
        "thinking": JSON,
        "tool_calls": st.lists(st.fixed_dictionaries({"name": JSON, "arguments": JSON}), max_size=2),
    },
)
TURN_LIST = st.lists(TURN, max_size=6) | JSON
RECORD = JSON | st.fixed_dictionaries(
    {},
    optional={
        "instruction": st.text() | JSON,
        "prompt": TURN_LIST,
        "output": st.text() | TURN_LIST,
        "history": st.lists(st.lists(st.text(), min_size=1, max_size=3), max_size=3),
        "conversations": TURN_LIST,
        "messages": TURN_LIST,
        "system": st.text() | JSON,
        "tools": st.lists(st.fixed_dictionaries({"name": JSON}), max_size=2) | JSON,
        "category": JSON,
        "other": JSON,
    },
)
SAID = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": st.sampled_from(["", "x"])},
        optional={"weight": st.sampled_from([0, 1])},
    ),
    max_size=8,
).map(lambda turns: {"messages": turns})


@given(RECORD | SAID)
@settings(max_examples=300, deadline=None)
def test_any_record_is_a_conversation_or_has_a_reason(record: Any) -> None:
    try:
        conversation = parse(record)
    except UserError as error:
        str(error).encode()  # it can be printed
        return
    assert conversation.turns[0].role in ("system", "user")
    assert conversation.turns[-1].role == "assistant"
    assert conversation.turns[-1].is_trained
    assert all(turn.is_trained or turn.role == "assistant" for turn in conversation.turns)
    json.dumps([*conversation.messages("\n"), conversation.tools, conversation.category], ensure_ascii=False).encode()
    shorter: Conversation | None = conversation
    while shorter := shorter.without_oldest():
        assert shorter.turns[-1] == conversation.turns[-1]
        conversation = shorter
    assert sum(turn.role == "user" for turn in conversation.turns) == 1


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


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), ("true", True), (1, True), (False, False), (None, False)]
)
def test_a_record_may_say_that_its_answer_is_short(value: Any, expected: bool) -> None:
    conversation = parse({"instruction": "对吗？", "output": "对", "short_answer": value})
    assert conversation.short_answer is expected
    assert conversation.unread_keys == ()


def test_whether_an_answer_is_short_is_told_by_true_or_false() -> None:
    with pytest.raises(UserError, match=r"short_answer must be true or false, not \"maybe\""):
        parse({"instruction": "对吗？", "output": "对", "short_answer": "maybe"})
