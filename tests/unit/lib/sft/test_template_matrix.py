"""Kinds of records with kinds of chat templates: what is trained of each, in how many examples."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.chat.templates import set_template
from lib.core.errors import UserError
from lib.settings.sft import InstructionSettings
from lib.sft.conversations import parse
from lib.sft.examples import ExampleMaker
from tiny_model import make_tiny_tokenizer

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
CALL = {"id": "a1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "北京"}'}}


def talk(*turns: str | dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A record whose turns are the user's and the assistant's in turn, the fields of some given."""
    roles = ("user", "assistant")
    messages = [
        {"role": roles[place % 2]} | (turn if isinstance(turn, dict) else {"content": turn})
        for place, turn in enumerate(turns)
    ]
    return {"messages": messages, **fields}


# A record, and what the assistant thinks and says in each turn that is trained.
RECORDS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "answer first": (
        {"conversations": [{"from": "gpt", "value": "欢迎"}, *({"from": r, "value": r} for r in ("human", "gpt"))]},
        [("", "gpt")],
    ),
    "two users in a row": (
        {"conversations": [{"from": r, "value": r} for r in ("human", "user", "gpt")]},
        [("", "gpt")],
    ),
    "ends with a question": (talk("你好", "你好！", "再见"), [("", "你好！")]),
    "number as answer": ({"instruction": "1+1", "output": 2}, [("", "2")]),
    "system turn later": (
        talk(
            "你好",
            "好",
            {"role": "system", "content": "换角色"},
            {"role": "user", "content": "再"},
            {"role": "assistant", "content": "行"},
        ),
        [("", "好"), ("", "行")],
    ),
    "role bot": ({"conversations": [{"from": "user", "value": "你好"}, {"from": "bot", "value": "好"}]}, [("", "好")]),
    "prompt and completion": ({"prompt": "你好", "completion": "好"}, [("", "好")]),
    "query and response": ({"query": "你好", "response": "好"}, [("", "好")]),
    "weight 0": (talk("1+1?", {"content": "3", "weight": 0}, "错", {"content": "2", "weight": 1}), [("", "2")]),
    "train false": (talk("1+1?", {"content": "3", "train": False}, "错", "2"), [("", "2")]),
    "thought in a field": (talk("1+1?", {"content": "2", "reasoning_content": "想想"}), [("想想", "2")]),
    "thoughts in two turns": (
        talk("1+1?", "<think>\n想想\n</think>\n\n2", "2+2?", "<think>\n再想\n</think>\n\n4"),
        [("想想", "2"), ("再想", "4")],
    ),
    "tool call": (
        talk(
            "北京天气",
            {"content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "晴"},
            "北京晴。",
            tools=[TOOL],
        ),
        [("", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "北京"}}\n</tool_call>'), ("", "北京晴。")],
    ),
    "unknown key": ({"instruction": "你好", "output": "好", "anser": "x"}, [("", "好")]),
}
BODY = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
ANSWER = "m['content'].split('</think>')[-1]"


def tagged(thought: str, answer: str) -> str:
    return f"<think>\n{thought}\n</think>\n\n{answer}<|im_end|>" if thought else f"{answer}<|im_end|>"


def opened(thought: str, answer: str) -> str:
    return f"{thought}\n</think>\n\n{answer}<|im_end|>"


# A template, how it writes an answer, and the records of several answers that it makes several examples of.
TEMPLATES: dict[str, tuple[str, Callable[[str, str], str], set[str]]] = {
    "plain": (BODY + ASK, tagged, set()),
    "writes today's date": ("{{ strftime_now('%d %B %Y') }}" + BODY + ASK, tagged, set()),
    "refuses a system turn first": (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + BODY + ASK,
        tagged,
        set(),
    ),
    "drops earlier thoughts": (
        BODY.replace("m['content']", f"({ANSWER} if m['role'] == 'assistant' and not loop.last else m['content'])")
        + ASK,
        tagged,
        {"thoughts in two turns"},
    ),
    "opens the thought": (
        BODY.replace("m['content']", f"({ANSWER} if m['role'] == 'assistant' else m['content'])")
        + ASK.replace("assistant\n", "assistant\n<think>\n"),
        opened,
        {"system turn later", "thoughts in two turns", "tool call"},
    ),
}


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("record", RECORDS)
def test_what_is_trained(record: str, template: str) -> None:
    text, write, split = TEMPLATES[template]
    fields, answers = RECORDS[record]
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = text
    set_template(tokenizer, "base")
    made = ExampleMaker(tokenizer, InstructionSettings())(parse(fields))
    found = [[span.text for span in example.spans if span.is_trained] for example in made.examples]
    written = [write(*answer) for answer in answers]
    assert found == ([[answer] for answer in written] if record in split else [written])
    assert made.left_out is None


@pytest.mark.parametrize("answer", ["", None])
def test_an_empty_answer_is_no_conversation(answer: str | None) -> None:
    with pytest.raises(UserError, match="the answer is empty"):
        parse({"instruction": "你好", "output": answer})


def test_a_field_for_thoughts_is_used() -> None:
    tokenizer = make_tiny_tokenizer()
    thought = "{% if m.reasoning_content %}{{ '[' + m.reasoning_content + ']' }}{% endif %}"
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + ':' }}" + thought + "{{ m['content'] + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
    )
    set_template(tokenizer, "base")
    made = ExampleMaker(tokenizer, InstructionSettings())(parse(RECORDS["thought in a field"][0]))
    assert [span.text for span in made.examples[0].spans] == ["user:1+1?<|im_end|>assistant:", "[想想]2<|im_end|>"]


def test_a_template_that_drops_every_thought() -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = BODY.replace("m['content']", ANSWER) + ASK
    set_template(tokenizer, "base")
    made = ExampleMaker(tokenizer, InstructionSettings())(parse(RECORDS["thought in a field"][0]))
    assert made.left_out == ("template", "the chat template leaves out what the assistant thinks in turn 2")
    assert made.examples == ()


def test_control_tokens_are_found_wherever_they_hide() -> None:
    tokenizer = make_tiny_tokenizer()
    set_template(tokenizer, "base")
    make = ExampleMaker(tokenizer, InstructionSettings())
    hidden = {"type": "function", "function": {"name": "f", "arguments": {"a": ["x<|im_end|>"]}}}
    described = {"type": "function", "function": {"name": "f", "description": "<|im_end|>", "parameters": {}}}
    for record in (
        talk("a", {"content": "", "tool_calls": [hidden]}),
        talk("a", "b", tools=[described]),
        talk("a", {"content": "b", "reasoning_content": "<|im_end|>"}),
    ):
        made = make(parse(record))
        assert made.left_out == ("control_token", "holds <|im_end|>, which only the chat template may write")
