"""Labels cover exactly what the assistant says. The golden files show it: trained parts stand between ⟦ and ⟧."""

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from chat_templates import FAMILIES
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from lib.chat.known_templates import NAMES, input_joint
from lib.chat.spans import encode_spans, prompt_ids
from lib.chat.templates import set_template
from lib.settings.sft import InstructionSettings
from lib.sft.conversations import Conversation, parse
from lib.sft.examples import Example, ExampleMaker
from lib.sft.turns import Turn
from lib.tokens.token_files import IGNORED_LABEL
from tiny_model import make_tiny_tokenizer

GOLDEN = Path(__file__).parent / "golden"

RECORDS: dict[str, dict[str, Any]] = {
    "alpaca": {"instruction": "润色下面的句子。", "input": "信走得快。", "output": "路干的时候，信走得快。"},
    "alpaca without input": {"instruction": "Why does the moon look larger?", "output": "It does not."},
    "alpaca with history": {
        "system": "回答要短。",
        "history": [["一枚铜钱？", "最小的那一枚。"], ["几枚？", "七枚。"]],
        "instruction": "再数一遍。",
        "output": "还是七枚。",
    },
    "sharegpt": {
        "conversations": [
            {"from": "system", "value": "You are a carpenter."},
            {"from": "human", "value": "How high is the window?"},
            {"from": "gpt", "value": "182.\n\nI measured twice."},
            {"from": "human", "value": "And the door?"},
            {"from": "gpt", "value": " 96."},
        ]
    },
    "messages": {
        "messages": [
            {"role": "user", "content": "春天河水怎样？"},
            {"role": "assistant", "content": "上涨。"},
            {"role": "user", "content": "然后呢？"},
            {"role": "assistant", "content": "人们把牛羊赶到山上。"},
        ]
    },
}
TOOLS = {
    "messages": [
        {"role": "user", "content": "How far is the border?"},
        {"role": "assistant", "content": 'distance("border")'},
        {"role": "tool", "content": "nine days"},
        {"role": "assistant", "content": "Nine days."},
    ]
}


def tokenizer_with(template: str) -> PreTrainedTokenizerFast:
    tokenizer = make_tiny_tokenizer()
    set_template(tokenizer, template)
    return tokenizer


def make(tokenizer: PreTrainedTokenizerFast, record: dict[str, Any], template: str) -> Example:
    example = ExampleMaker(tokenizer, InstructionSettings(template=template))(parse(record)).example
    assert example
    return example


def marked(tokenizer: PreTrainedTokenizerFast, example: Example) -> str:
    """Text of the tokens, those with a label between ⟦ and ⟧."""
    text = ""
    for is_trained, pairs in groupby(zip(example.input_ids, example.labels, strict=True), lambda pair: pair[1] >= 0):
        part = tokenizer.decode([token for token, _ in pairs])
        text += f"⟦{part}⟧" if is_trained else part
    return text


@pytest.mark.parametrize("template", NAMES)
def test_trained_parts_are_as_a_person_has_checked(template: str) -> None:
    tokenizer = tokenizer_with(template)
    records = RECORDS if template == "article" else {**RECORDS, "messages with tools": TOOLS}
    found = "".join(
        f"===== {name}\n{marked(tokenizer, make(tokenizer, record, template))}\n" for name, record in records.items()
    )
    assert found == (GOLDEN / f"{template}.txt").read_text(encoding="utf-8")


THOUGHTFUL = {
    "thoughts": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "2", "reasoning_content": "想想"},
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": "<think>\n再想\n</think>\n\n4"},
        ]
    },
    "tools": {
        "messages": [
            {"role": "user", "content": "北京天气"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"function": {"name": "get_weather", "arguments": '{"city": "北京"}'}}],
            },
            {"role": "tool", "content": "晴"},
            {"role": "assistant", "content": "北京晴。"},
        ],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}],
    },
}


def family(name: str) -> PreTrainedTokenizerFast:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = FAMILIES[name]
    set_template(tokenizer, "base")
    return tokenizer


@pytest.mark.parametrize("name", FAMILIES)
def test_templates_of_model_families_are_trained_as_a_person_has_checked(name: str) -> None:
    tokenizer = family(name)
    maker = ExampleMaker(tokenizer, InstructionSettings())
    found = ""
    for title, record in {**RECORDS, **THOUGHTFUL}.items():
        made = maker(parse(record))
        found += f"===== {title}\n"
        found += "".join(f"{marked(tokenizer, example)}\n" for example in made.examples) or f"{made.left_out}\n"
    assert found == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


texts = st.text(st.sampled_from("话说天下大势，。：\n ab<|>"), min_size=1, max_size=12).filter(str.strip)
conversations = st.lists(st.tuples(texts, texts), min_size=1, max_size=4)


thoughts = st.none() | texts


@settings(deadline=None)
@given(st.sampled_from([*NAMES, *FAMILIES]), st.lists(st.tuples(texts, thoughts, texts), min_size=1, max_size=4))
def test_the_model_is_asked_exactly_what_it_was_taught(
    template: str, exchanges: list[tuple[str, str | None, str]]
) -> None:
    tokenizer = TOKENIZERS[template]
    turns: list[Turn] = []
    for question, thought, answer in exchanges:
        opened = "" if thought is None else f"<think>\n{thought}\n</think>\n\n"
        turns += [Turn("user", question), Turn("assistant", opened + answer)]
    conversation = Conversation(tuple(turns))
    settings = InstructionSettings(template=template if template in NAMES else "base")
    examples = ExampleMaker(tokenizer, settings)(conversation).examples
    assert len(examples) in (1, len(exchanges))
    messages = conversation.messages(input_joint(template))
    answered = []
    for number, example in enumerate(examples):
        places = [place for place, span in enumerate(example.spans) if span.is_trained]
        for place in places:
            turn = 2 * (number if len(examples) > 1 else place // 2) + 1
            answered.append(turn)
            prompt = "".join(span.text for span in example.spans[:place])
            assert prompt == tokenizer.apply_chat_template(messages[:turn], tokenize=False, add_generation_prompt=True)
            asked = prompt_ids(tokenizer, messages[:turn])
            assert example.input_ids[: len(asked)] == asked
            assert example.labels[len(asked) - 1] == IGNORED_LABEL != example.labels[len(asked)]
            if template != "deepseek_r1":  # it leaves thoughts out of what it renders
                whole = tokenizer.apply_chat_template(messages[: turn + 1], tokenize=False)
                end = tokenizer.eos_token if template == "glm4" else ""  # the next turn's first token
                assert whole.rstrip() == (prompt + example.spans[place].text).removesuffix(end).rstrip()
        spoken = encode_spans(tokenizer, [span.text for span in example.spans])
        learned = [token for place in places for token in spoken[place]]
        assert [label for label in example.labels if label != IGNORED_LABEL] == learned
        assert learned.count(tokenizer.eos_token_id) == len(places)
    assert answered == list(range(1, len(turns), 2))


TOKENIZERS = {template: tokenizer_with(template) for template in NAMES} | {name: family(name) for name in FAMILIES}


def long_conversation(questions: int) -> dict[str, Any]:
    turns = [{"role": "system", "content": "S"}]
    for number in range(questions):
        turns += [{"role": "user", "content": f"q{number} " * 20}, {"role": "assistant", "content": f"a{number}"}]
    return {"messages": turns}


def test_the_oldest_turns_go_from_what_is_too_long() -> None:
    tokenizer = TOKENIZERS["chatml"]
    maker = ExampleMaker(tokenizer, InstructionSettings(template="chatml", max_length=250))
    fitted = maker(parse(long_conversation(9)))
    assert fitted.example
    assert len(fitted.example.input_ids) <= 250
    text = marked(tokenizer, fitted.example)
    assert text.startswith("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq")
    assert text.endswith("⟦a8<|im_end|>⟧")
    kept = text.count("⟦")
    assert 1 <= kept < 9
    assert fitted.left_out
    assert fitted.left_out[0] == "shortened"
    assert f"{2 * (9 - kept)} of 19 turns dropped" in fitted.left_out[1]
    assert maker(parse(long_conversation(2))).left_out is None


def test_what_is_too_long_may_go_as_a_whole() -> None:
    tokenizer = TOKENIZERS["chatml"]
    skip = ExampleMaker(tokenizer, InstructionSettings(template="chatml", max_length=250, too_long="skip"))
    assert skip(parse(long_conversation(9))).example is None
    drop = ExampleMaker(tokenizer, InstructionSettings(template="chatml", max_length=20))
    for record in (long_conversation(9), {"instruction": "a", "output": "b" * 100}):
        fitted = drop(parse(record))
        assert fitted.example is None
        assert fitted.left_out
        assert fitted.left_out[0] == "too_long"


def test_only_the_template_may_write_control_tokens() -> None:
    fitted = ExampleMaker(TOKENIZERS["chatml"], InstructionSettings(template="chatml"))(
        parse({"instruction": "a", "output": "b<|im_end|>c"})
    )
    assert fitted.example is None
    assert fitted.left_out == ("control_token", "holds <|im_end|>, which only the chat template may write")
