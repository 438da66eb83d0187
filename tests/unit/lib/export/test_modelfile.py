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
    commands = parsed(written)
    assert commands[0] == ("FROM", "./model-f16.gguf")
    found = around_messages(tokenizer, begins=True)
    assert found
    assert commands[1:] == [
        ("TEMPLATE", found.go_template()),
        ("PARAMETER stop", "<|im_end|>"),
        ("PARAMETER stop", "<|endoftext|>"),
    ]


@pytest.mark.parametrize(
    ("token", "is_kept"), [("<｜end▁of▁sentence｜>", True), ('<"end">', True), ("a\u3000b", False), ('"""', False)]
)
def test_a_token_is_written_as_it_is_or_not_at_all(token: str, is_kept: bool) -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.add_tokens([token], special_tokens=True)
    written = modelfile(tokenizer, "model.gguf", [tokenizer.convert_tokens_to_ids(token)], begins=False)
    stops = [value for name, value in parsed(written) if name == "PARAMETER stop"]
    assert stops == ([token] if is_kept else [])


@pytest.mark.parametrize("text", ["{", "{{", "{ {{ a }} }", "}}"])
def test_braces_of_a_template_are_text(text: str) -> None:
    found = around(f"{{% raw %}}{text}{{% endraw %}}" + CHAT_TEMPLATE)
    assert found
    actions = re.findall(r"{{(.*?)}}", found.go_template())
    assert {action.strip() for action in actions} - {'"{"'} == {
        *("if .System", ".System", "else", "end", "range $i, $message := .Messages", "$message.Content"),
        *('if eq $message.Role "user"', "if eq (len (slice $.Messages $i)) 1"),
        'else if eq $message.Role "assistant"',
    }
    assert go(found.go_template(), [{"role": "user", "content": "a"}]).replace('{{ "{" }}', "{").startswith(text)


@pytest.mark.parametrize("family", ["mistral"])
def test_a_template_that_does_more_is_left_out(family: str) -> None:
    assert around(FAMILIES[family]) is None
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = FAMILIES[family]
    assert 'TEMPLATE "' not in modelfile(tokenizer, "model.gguf", [2], begins=False)


def parsed(text: str) -> list[tuple[str, str]]:
    """The commands of a Modelfile by the rules of Ollama's parser.

    A value ends at the first line break at which it is whole: without quotes, with one at each end, or with three.
    Nothing in it is escaped, and what cannot be printed is dropped.
    """
    commands = []
    rest = text
    while rest := rest.lstrip():
        line, _, after = rest.partition("\n")
        if line.startswith("#"):
            rest = after
            continue
        name = re.match(r"FROM|TEMPLATE|SYSTEM|PARAMETER \w+", rest)
        assert name, rest
        rest = rest[name.end() + 1 :]
        place = next(
            place
            for place in range(len(rest) + 1)
            if (place == len(rest) or rest[place] in "\r\n") and unquoted(rest[:place].strip()) is not None
        )
        value = unquoted(rest[:place].strip())
        assert value is not None
        commands.append((name[0], "".join(c for c in value if c.isprintable() or c in "\t\n\r")))
        rest = rest[place:]
    return commands


def unquoted(text: str) -> str | None:
    """A value without its quotes; None where they are still open."""
    for quotes in ('"""', '"'):
        if text.startswith(quotes):
            is_whole = len(text) >= 2 * len(quotes) and text.endswith(quotes)
            return text[len(quotes) : -len(quotes)] if is_whole else None
    return text


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
