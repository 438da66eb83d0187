"""Chat templates in Ollama's language: the same text, or none."""

import re

import pytest
from chat_templates import FAMILIES

from lib.export.modelfile import Around, around_messages, modelfile
from tiny_families import LLAMA3_TEMPLATE
from tiny_model import CHAT_TEMPLATE, make_tiny_tokenizer

BARE = """\
{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token }}{% endfor %}\
{% if add_generation_prompt %}assistant: {% endif %}"""
CONVERSATIONS: list[list[tuple[str, str]]] = [
    [("user", "你好")],
    [("system", "Be brief."), ("user", "Who lives\nthere?")],
    [("user", "a"), ("assistant", "b"), ("user", "c {{ d }}")],
]


def around(template: str) -> Around | None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = template
    return around_messages(tokenizer, begins=False)


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, LLAMA3_TEMPLATE, BARE])
@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_a_template_gives_the_same_text(template: str, conversation: list[tuple[str, str]]) -> None:
    found = around(template)
    assert found
    tokenizer = make_tiny_tokenizer()
    messages = [{"role": role, "content": content} for role, content in conversation]
    wanted = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=True)
    assert found.text(messages) == wanted
    assert go(found.go_template(), messages) == wanted


def test_the_begin_token_is_left_to_the_reader() -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = LLAMA3_TEMPLATE
    written = modelfile(tokenizer, "model-f16.gguf", [2, 0], begins=True)
    assert written.startswith('FROM ./model-f16.gguf\nTEMPLATE """{{ if .System }}<|start_header_id|>system')
    assert written.endswith('PARAMETER stop "<|im_end|>"\nPARAMETER stop "<|endoftext|>"\n')


@pytest.mark.parametrize("family", ["mistral"])
def test_a_template_that_does_more_is_left_out(family: str) -> None:
    assert around(FAMILIES[family]) is None
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = FAMILIES[family]
    assert 'TEMPLATE "' not in modelfile(tokenizer, "model.gguf", [2], begins=False)


def go(template: str, messages: list[dict[str, str]]) -> str:
    """What Go makes of a template, as far as one is written here."""
    parts = re.fullmatch(
        r"\{\{ if \.System \}\}(.*?)\{\{ \.System \}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}"
        r'\{\{ range \$i, \$message := \.Messages \}\}\{\{ if eq \$message\.Role "user" \}\}(.*?)'
        r"\{\{ \$message\.Content \}\}\{\{ if eq \(len \(slice \$\.Messages \$i\)\) 1 \}\}(.*?)\{\{ end \}\}"
        r'\{\{ else if eq \$message\.Role "assistant" \}\}(.*?)\{\{ \$message\.Content \}\}(.*?)'
        r"\{\{ end \}\}\{\{ end \}\}",
        template,
        re.DOTALL,
    )
    assert parts
    before_system, after_system, without, before_user, to_answer, before_answer, after_answer = parts.groups()
    system = [message["content"] for message in messages if message["role"] == "system"]
    text = before_system + system[0] + after_system if system else without
    for number, message in enumerate(messages, 1):
        if message["role"] == "user":
            text += before_user + message["content"] + (to_answer if number == len(messages) else "")
        elif message["role"] == "assistant":
            text += before_answer + message["content"] + after_answer
    return text
