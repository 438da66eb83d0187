"""Chat templates: how a conversation becomes text that a model reads, and the token that ends an answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib.core.errors import UserError

if TYPE_CHECKING:  # a heavy library, which the texts alone do not need
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class ChatTemplate:
    """A template that can be given to any base model."""

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
_ANSWER = "ANSWER"


def input_joint(name: str) -> str:
    """What stands between an instruction and its input in a template."""
    return TEMPLATES[name].input_joint if name in TEMPLATES else "\n\n"


def set_template(tokenizer: "PreTrainedTokenizerFast", name: str) -> None:
    """Give `tokenizer` the template `name` and make the token that ends an answer in it the tokenizer's end token.

    Raises UserError when there is no such template, or the vocabulary lacks tokens that it needs.
    """
    if name in TEMPLATES:
        template = TEMPLATES[name]
        for token in template.control_tokens:
            if token not in tokenizer.added_tokens_encoder:
                raise UserError(
                    f"the template {name} needs {token} as a special token, which the tokenizer lacks; "
                    "add it, or choose another sft.template"
                )
        if template.end_token:
            tokenizer.eos_token = template.end_token
        if tokenizer.eos_token is None:
            raise UserError("the tokenizer has no end token; add one to its tokenizer_config.json")
        begins = bool(tokenizer.bos_token) and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
        tokenizer.chat_template = "{{ bos_token }}" + template.text if begins else template.text
    if not tokenizer.chat_template:
        others = " or ".join(TEMPLATES)
        raise UserError(f"the base model has no chat template; set sft.template to {others}")
    tokenizer.eos_token = _end_token(tokenizer)


def _end_token(tokenizer: "PreTrainedTokenizerFast") -> str:
    """The special token that follows an answer in the tokenizer's template."""
    messages = [{"role": "user", "content": "QUESTION"}, {"role": "assistant", "content": _ANSWER}]
    _, _, rest = str(tokenizer.apply_chat_template(messages, tokenize=False)).rpartition(_ANSWER)
    special = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    found = [token for token in special if rest.lstrip().startswith(token)]
    if not found:
        raise UserError(
            f"the chat template does not end an answer with a special token but with {rest!r}; "
            f"set sft.template to {' or '.join(TEMPLATES)}"
        )
    return max(found, key=len)
