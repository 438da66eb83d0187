"""A tokenizer gets a template, and with it the token that ends an answer."""

import datetime
from pathlib import Path

import pytest
from chat_templates import FAMILIES
from jinja2 import TemplateError
from pydantic import ValidationError
from tokenizers import Tokenizer, models
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from lib.chat.known_templates import NAMES, is_file
from lib.chat.templates import TemplateOptions, fix_date, set_template
from lib.core.errors import UserError
from lib.settings.sft import InstructionSettings
from tiny_model import make_tiny_tokenizer

MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tiny_tokenizer()


def test_the_settings_know_every_template() -> None:
    for name in (*NAMES, "a/b.jinja"):
        assert InstructionSettings(template=name).template == name
        assert is_file(name) == (name not in NAMES)
    with pytest.raises(ValidationError, match=", ".join(f"'{name}'" for name in NAMES)):
        InstructionSettings(template="alpaca")


def test_the_end_token_is_the_templates(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.eos_token = "<|endoftext|>"  # as base models of the Qwen family have it
    set_template(tokenizer, "base")
    assert tokenizer.eos_token == "<|im_end|>"
    tokenizer.eos_token = "<|endoftext|>"
    set_template(tokenizer, "article")
    assert tokenizer.eos_token == "<|endoftext|>"
    assert tokenizer.apply_chat_template(MESSAGES, tokenize=False) == "指令：q\n输出：a<|endoftext|>\n"


def test_the_end_token_may_be_what_begins_the_next_turn(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = FAMILIES["glm4"]
    set_template(tokenizer, "base")
    assert tokenizer.eos_token == "<|im_start|>"


def test_a_text_begins_with_the_token_that_the_tokenizer_puts_first(tokenizer: PreTrainedTokenizerFast) -> None:
    begin = f"{tokenizer.bos_token} $A"
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single=begin, special_tokens=[(tokenizer.bos_token, tokenizer.bos_token_id)]
    )
    set_template(tokenizer, "article")
    rendered = tokenizer.apply_chat_template(MESSAGES, tokenize=False)
    assert rendered == f"{tokenizer.bos_token}指令：q\n输出：a<|im_end|>\n"


def test_what_cannot_be_given_is_said(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}"
    with pytest.raises(UserError, match=r"does not end an answer with a special token but with '\\n'"):
        set_template(tokenizer, "base")
    tokenizer.chat_template = None
    with pytest.raises(UserError, match=r"no chat template; set sft\.template to chatml or article"):
        set_template(tokenizer, "base")
    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0}, merges=[])))
    with pytest.raises(UserError, match=r"chatml needs <\|im_start\|> as a special token"):
        set_template(bare, "chatml")
    with pytest.raises(UserError, match=r"the tokenizer has no end token"):
        set_template(bare, "article")


def rendered(tokenizer: PreTrainedTokenizerFast, *messages: tuple[str, str]) -> str:
    turns = [{"role": role, "content": content} for role, content in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False))


def test_a_file_of_ones_own(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    path = tmp_path / "own.jinja"
    path.write_text("{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}\n")
    set_template(tokenizer, path)
    assert rendered(tokenizer, ("user", "q"), ("assistant", "a")) == "q<|im_end|>a<|im_end|>"
    for content, message in (
        (b"{% for %}", r"own\.jinja: the chat template cannot render this conversation: "),
        (b"\xff", r"own\.jinja: is not UTF-8"),
        (b"{{ messages.__class__.__mro__ }}<|im_end|>", r"own\.jinja: .* unsafe"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            set_template(tokenizer, path)
    with pytest.raises(UserError, match=r"none\.jinja: cannot be read: No such file"):
        set_template(tokenizer, tmp_path / "none.jinja")


def test_todays_date_is_fixed(tokenizer: PreTrainedTokenizerFast) -> None:
    template = "{{ strftime_now('%d %B %Y') + strftime_now( \"(%Y)\" ) }}" + str(tokenizer.chat_template)
    tokenizer.chat_template = template
    set_template(tokenizer, "base")
    assert rendered(tokenizer, ("user", "q")).startswith("01 January 2025(2025)<|im_start|>")
    tokenizer.chat_template = template
    set_template(tokenizer, "base", TemplateOptions(date=datetime.date(2024, 7, 26)))
    assert rendered(tokenizer, ("user", "q")).startswith("26 July 2024(2024)<|im_start|>")
    tokenizer.chat_template = {"default": template, "tool_use": template}
    fix_date(tokenizer, datetime.date(2024, 7, 26))
    assert all("strftime_now" not in text for text in tokenizer.chat_template.values())
    tokenizer.chat_template = template.replace("'%d %B %Y'", "format")
    with pytest.raises(UserError, match=r"today's date in a format that is not in its text"):
        set_template(tokenizer, "base")


SMOLLM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
QWEN25 = """{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] }}
{%- else %}{{- 'I\\'m the \\"assistant\\".' }}{%- endif %}
{{- '\\n' + tools | tojson + '<|im_end|>\\n' }}
{%- elif messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}{{- '<|im_start|>system\\nI\\'m the \\"assistant\\".<|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}
{%- if not (loop.first and message.role == 'system') %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endif %}{%- endfor %}"""
APART = """{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}
{%- else %}{%- set system = "I'm the assistant." %}{%- endif %}
{{- '<|im_start|>system\\n' + system + '<|im_end|>\\n' }}
{%- for message in messages %}{%- if message.role != 'system' %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"""


def test_a_default_system_prompt_is_replaced_or_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    smollm = str(tokenizer.chat_template)
    asked, told = "<|im_start|>user\nq<|im_end|>\n", "<|im_start|>system\ns<|im_end|>\n"
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    for template, without in ((smollm, ""), (QWEN25, ""), (APART, "<|im_start|>system\n<|im_end|>\n")):
        for system, first in ((None, None), ("", without), ("你好{% if", "<|im_start|>system\n你好{% if<|im_end|>\n")):
            tokenizer.chat_template = template
            before = rendered(tokenizer, ("user", "q"))
            set_template(tokenizer, "base", TemplateOptions(system=system))
            assert rendered(tokenizer, ("user", "q")) == (before if first is None else first + asked)
            assert rendered(tokenizer, ("system", "s"), ("user", "q")) == told + asked
    tokenizer.chat_template = QWEN25
    set_template(tokenizer, "base", TemplateOptions(system=""))
    with_tools = tokenizer.apply_chat_template([{"role": "user", "content": "q"}], tools=[tool], tokenize=False)
    assert with_tools.startswith("<|im_start|>system\n\n[{")
    tokenizer.chat_template = APART.replace('"I\'m the assistant."', "'I am' + ' here.'")
    with pytest.raises(UserError, match="cannot be taken out of the chat template"):
        set_template(tokenizer, "base", TemplateOptions(system=""))


def test_a_system_prompt_that_the_template_refuses(tokenizer: PreTrainedTokenizerFast) -> None:
    turns = ("system", "s"), ("user", "q"), ("assistant", "a")
    begin = "<|im_start|><|im_start|>user\n"
    tokenizer.chat_template = FAMILIES["gemma2"]
    set_template(tokenizer, "base", TemplateOptions(system="t"))
    assert rendered(tokenizer, *turns).startswith(f"{begin}s\n\nq<|im_end|>")
    assert rendered(tokenizer, *turns[1:]).startswith(f"{begin}t\n\nq<|im_end|>")
    tokenizer.chat_template = FAMILIES["gemma2"]
    set_template(tokenizer, "base", TemplateOptions(system_in_question=False))
    with pytest.raises(TemplateError, match="System role not supported"):
        rendered(tokenizer, *turns)
    tokenizer.chat_template = FAMILIES["gemma2"]
    with pytest.raises(UserError, match=r"set sft\.refused_system to before_question"):
        set_template(tokenizer, "base", TemplateOptions(system="t", system_in_question=False))


def test_tools_that_the_template_leaves_out_become_text(tokenizer: PreTrainedTokenizerFast) -> None:
    def call(name: str, arguments: object) -> dict[str, object]:
        return {"type": "function", "function": {"name": name, "arguments": arguments}}

    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "let me", "tool_calls": [call("f", {"a": "边"}), call("g", '{"b": 1}')]},
        {"role": "tool", "content": "one"},
        {"role": "tool", "content": "two"},
        {"role": "assistant", "content": "a"},
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    calls = (
        'let me\n<tool_call>\n{"name": "f", "arguments": {"a": "边"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "g", "arguments": {"b": 1}}\n</tool_call>'
    )
    set_template(tokenizer, "base")
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
    assert text.startswith("<|im_start|>system\n# Tools\n\nYou may call these functions:\n<tools>\n{")
    assert f"assistant\n{calls}<|im_end|>\n<|im_start|>tool\none<|im_end|>\n<|im_start|>tool\ntwo<|im_end|>\n" in text
    tokenizer.chat_template = FAMILIES["gemma2"]
    set_template(tokenizer, "base")
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
    results = "<tool_response>\none\n</tool_response>\n<tool_response>\ntwo\n</tool_response>"
    assert f"model\n{calls}<|im_end|>\n<|im_start|>user\n{results}<|im_end|>\n<|im_start|>model\na<|im_end|>\n" in text
    for name in ("qwen3", "llama31", "mistral"):
        tokenizer.chat_template = FAMILIES[name]
        set_template(tokenizer, "base", TemplateOptions(date=datetime.date(2024, 7, 26)))
        assert tokenizer.chat_template == FAMILIES[name].replace('strftime_now("%d %b %Y")', '"26 Jul 2024"')
