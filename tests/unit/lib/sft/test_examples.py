"""Labels cover exactly what the assistant says. The golden files show it: trained parts stand between ⟦ and ⟧."""

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from lib.chat.spans import prompt_ids
from lib.chat.templates import NAMES, input_joint, set_template
from lib.settings.sft import InstructionSettings
from lib.sft.conversations import Conversation, parse
from lib.sft.examples import Example, ExampleMaker
from lib.sft.turns import Turn
from lib.tokens.rows import IGNORED_LABEL
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


texts = st.text(st.sampled_from("话说天下大势，。：\n ab<|>"), min_size=1, max_size=12).filter(str.strip)
conversations = st.lists(st.tuples(texts, texts), min_size=1, max_size=4)


@settings(deadline=None)
@given(st.sampled_from(NAMES), conversations, st.none() | texts)
def test_the_model_is_asked_exactly_what_it_was_taught(
    template: str, pairs: list[tuple[str, str]], system: str | None
) -> None:
    tokenizer = TOKENIZERS[template]
    turns = [Turn(role, text) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
    conversation = Conversation(tuple([Turn("system", system), *turns] if system else turns))
    example = ExampleMaker(tokenizer, InstructionSettings(template=template))(conversation).example
    assert example
    learned = [label for label in example.labels if label != IGNORED_LABEL]
    assert [label for label in learned if label == tokenizer.eos_token_id] == [tokenizer.eos_token_id] * len(pairs)
    assert tokenizer.decode(learned) == "".join(answer + tokenizer.eos_token for _, answer in pairs)
    messages = conversation.messages(input_joint(template))
    for place, message in enumerate(messages):
        if message["role"] == "assistant":
            asked = prompt_ids(tokenizer, messages[:place])
            assert example.input_ids[: len(asked)] == asked
            assert example.labels[len(asked) - 1] == IGNORED_LABEL != example.labels[len(asked)]


TOKENIZERS = {template: tokenizer_with(template) for template in NAMES}


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
