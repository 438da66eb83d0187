"""A chat template for a tokenizer: chosen, changed where settings or records need it, with the end token of answers.

The changes are made in the template's own text, which is published with the model: what was trained is what any program
that renders the template shows.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from lib.chat.known_templates import BASE, TEMPLATES
from lib.chat.template_edits import (
    with_calls_in_text,
    with_fixed_date,
    with_system,
    with_system_in_question,
    with_tools_in_system,
    without_text,
)
from lib.chat.template_traits import TemplateTraits
from lib.core.errors import UserError, about


@dataclass(frozen=True)
class TemplateOptions:
    """How a template is changed before it is used, and published."""

    system: str | None = None
    """System prompt of conversations that have none; "" takes out the template's own, None leaves it."""
    system_in_question: bool = True
    """Put system prompts before the first question where the template refuses them."""
    tools_as_text: bool = True
    """Write tools, calls and results as text where the template leaves them out."""
    date: datetime.date = datetime.date(2025, 1, 1)
    """What `strftime_now` gives."""


def set_template(tokenizer: PreTrainedTokenizerFast, name: str | Path, options: TemplateOptions | None = None) -> None:
    """Give `tokenizer` the template `name` and make the token that ends an answer in it the tokenizer's end token.

    `name` is one of NAMES, or a Path to a Jinja file. Raises UserError when there is no such template, or the
    vocabulary lacks tokens that it needs.
    """
    if isinstance(name, str) and name in TEMPLATES:
        _set_known_template(tokenizer, name)
    elif isinstance(name, Path):
        tokenizer.chat_template = _read(name)
    if not tokenizer.chat_template:
        others = " or ".join(TEMPLATES)
        raise UserError(f"the base model has no chat template; set sft.template to {others}")
    with about("the base model's chat template" if name == BASE else str(name)):
        _edit(tokenizer, lambda text: _adapted(tokenizer, text, options or TemplateOptions()))
        tokenizer.eos_token = _end_token(tokenizer)


def fix_date(tokenizer: PreTrainedTokenizerFast, date: datetime.date) -> None:
    """Let the templates of `tokenizer` write `date` instead of today's."""
    _edit(tokenizer, lambda text: with_fixed_date(text, date))


def _edit(tokenizer: PreTrainedTokenizerFast, edit: Callable[[str], str]) -> None:
    """Change the templates of `tokenizer`: it may have several, by what they are for."""
    if isinstance(tokenizer.chat_template, dict):
        tokenizer.chat_template = {use: edit(text) for use, text in tokenizer.chat_template.items()}
    else:
        tokenizer.chat_template = edit(tokenizer.chat_template)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8") from None


def _set_known_template(tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    template = TEMPLATES[name]
    for token in template.control_tokens:
        if token not in tokenizer.added_tokens_encoder:
            raise UserError(
                f"the template {name} needs {token} as a special token, which the tokenizer lacks; the tokenizer stage "
                f"adds it where sft.template is {name}; add it to a tokenizer of your own, or choose another template"
            )
    if template.end_token:
        tokenizer.eos_token = template.end_token
    if tokenizer.eos_token is None:
        raise UserError("the tokenizer has no end token; add one to its tokenizer_config.json")
    begins = bool(tokenizer.bos_token) and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    tokenizer.chat_template = "{{ bos_token }}" + template.text if begins else template.text


def _adapted(tokenizer: PreTrainedTokenizerFast, text: str, options: TemplateOptions) -> str:
    text = with_fixed_date(text, options.date)
    traits = TemplateTraits(tokenizer, text)
    if options.system == "" and (default := traits.default_system()):
        text = without_text(without_text(text, default.turn), default.text)
        if TemplateTraits(tokenizer, text).default_system():
            raise UserError(
                f"the system prompt {default.text!r} cannot be taken out of the chat template; set sft.system to "
                "another one, or sft.template to a file of your own"
            )
    # What is put first is done first: the last of these.
    if not traits.takes_system():
        if options.system_in_question:
            text = with_system_in_question(text)
        elif options.system:
            raise UserError(
                "the chat template refuses the system prompt in sft.system; set sft.refused_system to before_question"
            )
    if options.tools_as_text:
        as_text = not traits.writes_calls()
        if as_text:
            text = with_calls_in_text(text, results=not traits.writes_results())
        if not traits.writes_tools():
            text = with_tools_in_system(text, describe_format=as_text)
    return with_system(text, options.system) if options.system else text


def _end_token(tokenizer: PreTrainedTokenizerFast) -> str:
    """The special token that follows an answer in the tokenizer's template."""
    traits = TemplateTraits(tokenizer)
    found = traits.end_token()
    if not found:
        raise UserError(
            f"the chat template does not end an answer with a special token but with {traits.behind_answer()!r}; "
            f"set sft.template to {' or '.join(TEMPLATES)}"
        )
    return found
