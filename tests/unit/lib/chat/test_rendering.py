"""Answers are found in what any template writes, in the form that they have when they are given."""

from typing import Any

import pytest
from chat_templates import DEEPSEEK_R1, FAMILIES, LLAMA31, MISTRAL, QWEN3
from transformers import PreTrainedTokenizerFast

from lib.chat.rendering import Rendering, RenderingError, forms, render, split_thought
from lib.chat.spans import well_rendered
from tiny_model import make_tiny_tokenizer

CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "q2"},
    {"role": "assistant", "content": " a2\n"},
]
# In the manner of Llama 2: only users are introduced, answers are trimmed.
INSTRUCT = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] "
    "+ ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] | trim + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant may speak') }}{% endif %}{% endfor %}"
)
TOOL = {"type": "function", "function": {"name": "distance", "parameters": {"type": "object"}}}


def call(arguments: Any, **fields: str) -> dict[str, Any]:
    function = {"name": "distance", "arguments": arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function, **fields}]}


def called(**fields: str) -> list[dict[str, Any]]:
    answered = {"tool_call_id": fields["id"]} if fields else {}
    return [
        CONVERSATION[0],
        call({"to": "边关"}, **fields),
        {"role": "tool", "content": '"nine"\ndays', **answered},
        CONVERSATION[1],
    ]


def with_template(template: str) -> PreTrainedTokenizerFast:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


def rendering(template: str, messages: list[dict[str, Any]], tools: tuple[Any, ...] = ()) -> Rendering:
    return Rendering(with_template(template), messages, tools)


def test_a_template_that_introduces_no_answers() -> None:
    found = rendering(INSTRUCT, CONVERSATION)
    assert found.keeps_history(3)
    assert found.parts_before(3) == ["<|im_start|>[INST] q1 [/INST]", " a1<|im_end|>", "[INST] q2 [/INST]"]
    assert found.answer(3) == " a2<|im_end|>"


def test_earlier_answers_that_lose_something() -> None:
    found = rendering(QWEN3, CONVERSATION)
    assert found.answer(1) == "<think>\n\n</think>\n\na1<|im_end|>"
    assert not found.keeps_history(3)
    assert found.parts_before(3) == [
        "<|im_start|>user\nq1<|im_end|>\n<|im_start|>assistant\na1<|im_end|>\n"
        "<|im_start|>user\nq2<|im_end|>\n<|im_start|>assistant\n"
    ]


def test_a_thought_that_the_prompt_opens() -> None:
    for thoughtful in (
        {"role": "assistant", "content": "<think>\nthree?\n</think>\n\na1"},
        {"role": "assistant", "content": "a1", "reasoning_content": "three?"},
    ):
        found = rendering(DEEPSEEK_R1, [CONVERSATION[0], thoughtful])
        assert found.prompt(1) == "<|user|>q1<|assistant|><think>\n"
        assert found.answer(1) == "three?\n</think>\n\na1<|im_end|>"
        found.check(1)
    found = rendering(DEEPSEEK_R1, CONVERSATION)
    assert found.answer(1) == "\n</think>\n\na1<|im_end|>"
    assert not found.keeps_history(3)
    writes_it = QWEN3.replace(
        "{{- '<|im_start|>assistant\\n' }}{%- endif %}", "{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
    )
    assert writes_it != QWEN3
    assert rendering(writes_it, [CONVERSATION[0], thoughtful]).answer(1) == "three?\n</think>\n\na1<|im_end|>"


def test_what_a_template_refuses_or_loses() -> None:
    with_system = [{"role": "system", "content": "be brief"}, *CONVERSATION]
    with pytest.raises(RenderingError, match="cannot render this conversation: only user and assistant may speak"):
        rendering(INSTRUCT, with_system).check(2)
    deaf = INSTRUCT.replace("{{ raise_exception('only user and assistant may speak') }}", "")
    with pytest.raises(RenderingError, match=r"leaves out what turn 1 \(system\) says"):
        rendering(deaf, with_system).check(2)
    with pytest.raises(RenderingError, match=r"does not end turn 2 with the end token <\|im_end\|>"):
        rendering(INSTRUCT.replace(" + eos_token", ""), CONVERSATION).check(1)
    with pytest.raises(RenderingError, match="leaves out the tools"):
        rendering(DEEPSEEK_R1, [CONVERSATION[0], call('{"to": "x"}')], (TOOL,)).check(1)
    with pytest.raises(RenderingError, match=r"leaves out what turn 2 \(assistant\) says"):
        rendering(INSTRUCT, called()).check(1)
    with pytest.raises(RenderingError, match="leaves out what the assistant thinks in turn 2"):
        rendering(INSTRUCT, [CONVERSATION[0], CONVERSATION[1] | {"reasoning_content": "three?"}]).check(1)


def test_calls_are_written_as_the_template_wants_them() -> None:
    def answers(template: str, tools: tuple[Any, ...] = (TOOL,), **fields: str) -> list[str]:
        found = well_rendered(with_template(template), called(**fields), tools, [1, 3])
        return [found.answer(1), found.answer(3)]

    assert answers(QWEN3) == [
        '<think>\n\n</think>\n\n<tool_call>\n{"name": "distance", "arguments": {"to": "边关"}}\n</tool_call><|im_end|>',
        "<think>\n\n</think>\n\na1<|im_end|>",
    ]
    assert answers(LLAMA31) == ['{"name": "distance", "parameters": {"to": "边关"}}<|im_end|>', "a1<|im_end|>"]
    # Nine letters and digits: those of the record where it has such, else others.
    for fields, name in (({}, "call00000"), ({"id": "a1"}, "call00000"), ({"id": "abcdefghi"}, "abcdefghi")):
        assert answers(MISTRAL, **fields) == [
            f'[TOOL_CALLS] [{{"name": "distance", "arguments": {{"to": "边关"}}, "id": "{name}"}}]<|im_end|>',
            " a1<|im_end|>",
        ]
    # The template adds the arguments to a text, or would write them as Python does.
    written = '<|call|>distance\n```json\n{"to": "边关"}\n```<|im_end|>'
    python = DEEPSEEK_R1.replace("+ call['function']['arguments'] +", "~ call['function']['arguments'] ~")
    assert python != DEEPSEEK_R1
    assert answers(DEEPSEEK_R1, ())[0].endswith(written)
    assert answers(python, ())[0].endswith(written)


def test_results_name_their_function_and_their_call() -> None:
    first, second = (call({"to": to}, id=name) for to, name in (("x", "one"), ("y", "two")))
    both = first | {"tool_calls": [*first["tool_calls"], *second["tool_calls"]]}
    both["tool_calls"][1]["function"]["name"] = "height"
    results = [{"role": "tool", "content": name, "tool_call_id": name} for name in ("two", "one")]
    own, *_, renamed = forms([CONVERSATION[0], both, *results, CONVERSATION[1]])
    assert [message["name"] for message in own[2:4]] == ["height", "distance"]
    assert [message["tool_call_id"] for message in own[2:4]] == ["two", "one"]
    assert [made["id"] for made in renamed[1]["tool_calls"]] == ["call00000", "call00001"]
    assert [message["tool_call_id"] for message in renamed[2:4]] == ["call00001", "call00000"]


def test_thoughts_are_written_as_the_template_wants_them() -> None:
    in_field = [CONVERSATION[0], {"role": "assistant", "content": "a1", "reasoning_content": "three?"}]
    in_content = [CONVERSATION[0], {"role": "assistant", "content": "<think>\nthree?\n</think>\n\na1"}]
    reads_field = INSTRUCT.replace(
        "' ' + message['content']", "' [' + message.reasoning_content + '] ' + message['content'].split('</think>')[-1]"
    )
    for messages in (in_field, in_content):
        assert split_thought(messages[1]) in (("three?", "a1"), ("\nthree?\n", "a1"))
        for template, answer in (
            (INSTRUCT, " <think>\nthree?\n</think>\n\na1<|im_end|>"),
            (QWEN3, "<think>\nthree?\n</think>\n\na1<|im_end|>"),
            (reads_field, " [three?] a1<|im_end|>"),
        ):
            assert well_rendered(with_template(template), messages, (), [1]).answer(1) == answer
    drops = INSTRUCT.replace("message['content'] | trim", "message['content'].split('</think>')[-1] | trim")
    for messages in (in_field, in_content):
        with pytest.raises(RenderingError, match="leaves out what the assistant thinks in turn 2"):
            well_rendered(with_template(drops), messages, (), [1])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_prompt_and_its_answer_are_the_whole_rendering(name: str) -> None:
    tokenizer = with_template(FAMILIES[name])
    found = Rendering(tokenizer, CONVERSATION)
    for place in (1, 3):
        prompt = render(tokenizer, CONVERSATION[:place], (), to_answer=True)
        whole = render(tokenizer, CONVERSATION[: place + 1], ())
        assert "".join(found.parts_before(place)) == prompt
        if name not in ("deepseek_r1", "glm4"):  # they leave out the thought, and the end
            assert whole.startswith(prompt + found.answer(place))
            assert whole[len(prompt + found.answer(place)) :].strip() == ""


def test_an_answer_that_the_next_turn_ends() -> None:
    found = rendering(FAMILIES["glm4"], [CONVERSATION[0], call({"to": "x"}), *called()[2:]])
    assert found.answer(1) == 'distance\n{"to": "x"}<|endoftext|>'  # with which the tool's turn begins
    assert found.answer(3) == "\na1<|im_start|>"
    assert found.keeps_history(3)
