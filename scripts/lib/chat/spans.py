"""Chat text in spans: what the assistant says and what stands around it, cut and encoded alike everywhere.

Where the assistant speaks is found by rendering the conversation turn by turn and comparing, which works with any
template that leaves earlier turns as they are. Spans are encoded one by one, in training as in answering, so that no
token reaches across a border: a model is asked exactly what it was taught to answer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import encode_marked_chat, mark_control_tokens

from lib.core.errors import UserError

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Span:
    """A part of a rendered conversation."""

    text: str
    is_trained: bool
    """Whether the assistant says it; the token that ends its turn is included."""


class HistoryError(UserError):
    """The template renders earlier turns differently once the conversation goes on."""


def conversation_spans(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> list[Span]:
    """The spans of a conversation that ends with the assistant; every turn of the assistant is a trained one.

    What the template writes after the last end token is left off. Raises UserError when the template refuses or loses
    something, or does not end answers with the tokenizer's end token; HistoryError when answers cannot be told apart.
    """
    rendered, spans = _answered(tokenizer, messages, tools)
    for number, message in enumerate(messages, 1):
        names = [call["function"]["name"] for call in message.get("tool_calls", ())]
        for text in (message["content"].strip(), *names):
            if text not in rendered:
                raise UserError(f"the chat template leaves out what turn {number} ({message['role']}) says")
    if tools and rendered == _render(tokenizer, messages, ()):
        raise UserError("the chat template leaves out the tools; use one that knows them, or take them out")
    return spans


def prompt_ids(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> list[int]:
    """Token ids of a conversation up to where the assistant's next turn begins.

    Control tokens that someone typed into a message count as plain text.
    """
    marked = mark_control_tokens(list(messages), _pattern(control_tokens(tokenizer)))
    last = max((place for place, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    prompt = _render(tokenizer, marked, (), to_answer=True)
    try:
        spans = _answered(tokenizer, marked[: last + 1], ())[1] if last >= 0 else []
        before = "".join(span.text for span in spans)
        if not prompt.startswith(before):
            raise HistoryError("")
        texts = [*(span.text for span in spans), prompt[len(before) :]]
    except HistoryError:  # such a template was not trained with turn by turn either
        texts = [prompt]
    return [token for ids in encode_spans(tokenizer, texts) for token in ids]


def encode_spans(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each span of one conversation, special tokens of the text included and no others."""
    ids = [encode_marked_chat(tokenizer, text) for text in texts[:1]]
    if len(texts) > 1:
        # SentencePiece puts a blank before any text that it encodes; behind a line break, which is then taken off, not.
        line_break = tokenizer.encode("\n", add_special_tokens=False)
        adds_blank = tokenizer.encode("a", add_special_tokens=False) != _behind(tokenizer, line_break, "a")
        for text in texts[1:]:
            ids.append(_behind(tokenizer, line_break, text) if adds_blank else encode_marked_chat(tokenizer, text))
    return ids


def control_tokens(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The special tokens, which only the template may write."""
    return [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]


def find_control_token(tokens: Sequence[str], text: str) -> str | None:
    """The first of the control tokens `tokens` that stands in `text`."""
    found = _pattern(tokens).search(text)
    return found[0] if found else None


def _answered(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]
) -> tuple[str, list[Span]]:
    """A conversation that ends with the assistant as a whole and in spans."""
    spans: list[Span] = []
    before = answered = ""
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = _render(tokenizer, messages[:place], tools, to_answer=True)
        answered = _render(tokenizer, messages[: place + 1], tools)
        if not prompt.startswith(before) or not answered.startswith(prompt):
            raise HistoryError(
                f"the chat template renders what stands before turn {place + 1} differently once the conversation "
                "goes on, so that answers cannot be told apart; set sft.template to another one"
            )
        answer, end, _ = answered[len(prompt) :].rpartition(str(tokenizer.eos_token))
        if not end:
            raise UserError(f"the chat template does not end turn {place + 1} with the end token {tokenizer.eos_token}")
        spans += [Span(prompt[len(before) :], False), Span(answer + end, True)]
        before = prompt + answer + end
    return answered, spans


def _render(
    tokenizer: PreTrainedTokenizerFast,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]],
    to_answer: bool = False,
) -> str:
    try:
        return str(
            tokenizer.apply_chat_template(
                list(messages), tools=list(tools) or None, tokenize=False, add_generation_prompt=to_answer
            )
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise UserError(f"the chat template cannot render this conversation: {error}") from None


def _behind(tokenizer: PreTrainedTokenizerFast, line_break: list[int], text: str) -> list[int]:
    ids: list[int] = encode_marked_chat(tokenizer, f"\n{text}")
    return ids[len(line_break) :] if ids[: len(line_break)] == line_break else list(encode_marked_chat(tokenizer, text))


def _pattern(tokens: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
