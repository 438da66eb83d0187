"""Chat templates that can be given to any base model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChatTemplate:
    """A template with what it needs."""

    text: str
    """Jinja, with the variables that transformers passes."""
    end_token: str = ""
    """Token that ends an answer; the tokenizer's own end token when empty."""
    control_tokens: tuple[str, ...] = ()
    """Tokens that the vocabulary must hold as special ones."""
    input_joint: str = "\n\n"
    """What stands between an instruction and its input."""


TEMPLATES = {
    "chatml": ChatTemplate(
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        end_token="<|im_end|>",
        control_tokens=("<|im_start|>", "<|im_end|>"),
    ),
    "article": ChatTemplate(
        "{% for message in messages %}"
        "{% if message['role'] == 'system' %}{{ message['content'] + '\n' }}"
        "{% elif message['role'] == 'user' %}{{ '指令：' + message['content'] + '\n' }}"
        "{% elif message['role'] == 'assistant' %}{{ '输出：' + message['content'] + eos_token + '\n' }}"
        "{% else %}{{ raise_exception('it has no place for ' + message['role'] + ' turns') }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '输出：' }}{% endif %}",
        input_joint="\n输入：",
    ),
}
BASE = "base"
"""Name that stands for the template that the base model brings."""
NAMES = (BASE, *TEMPLATES)


def input_joint(name: str) -> str:
    """What stands between an instruction and its input in a template."""
    return TEMPLATES[name].input_joint if name in TEMPLATES else "\n\n"


def is_file(name: str) -> bool:
    """Whether the template `name` is the path of a file."""
    return name not in NAMES


def written_tokens(name: str) -> tuple[str, ...]:
    """The control tokens that the vocabulary must have for the template `name`, as far as that is known."""
    return TEMPLATES[name].control_tokens if name in TEMPLATES else ()
