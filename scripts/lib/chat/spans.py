"""Chat text in spans: what the assistant says and what stands around it, cut and encoded alike everywhere.

Spans are encoded one by one, in training as in answering, so that no token reaches across a border: a model is asked
exactly what it was taught to answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import encode_marked_chat, mark_control_tokens

from lib.chat.rendering import THOUGHT_TAGS, Message, Rendering, RenderingError, Tools, forms, special_tokens


@dataclass(frozen=True)
class Span:
    """A part of a rendered conversation."""

    text: str
    is_trained: bool
    """Whether the assistant says it; the token that ends its turn is included."""


def well_rendered(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], tools: Tools, places: Sequence[int]
) -> Rendering:
    """The rendering of a conversation, in the first of its forms that the chat template writes out wholly.

    `places` are those of the answers that matter. Raises RenderingError, as with the last form, when there is none.
    """
    failure = RenderingError("an empty conversation")
    for form in forms(messages):
        rendering = Rendering(tokenizer, form, tools)
        try:
            for place in places:
                rendering.check(place)
        except RenderingError as error:
            failure = error
        else:
            return rendering
    raise failure


def trained_spans(rendering: Rendering, places: Sequence[int]) -> list[Span]:
    """The spans of a conversation up to the last answer of `places`; those answers are trained.

    Raises RenderingError where there are several and the template does not keep earlier turns as they are.
    """
    *before, last = places
    if before and not rendering.keeps_history(last):
        raise RenderingError("the chat template renders earlier turns differently once the conversation goes on")
    answers = [place for place, message in enumerate(rendering.messages[:last]) if message["role"] == "assistant"]
    parts = rendering.parts_before(last)
    trained = [answer in before for answer in answers] if len(parts) > 1 else []
    spans = [Span(text, number % 2 == 1 and trained[number // 2]) for number, text in enumerate(parts)]
    return [*spans, Span(rendering.answer(last), True)]


def prompt_ids(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], tools: Tools = ()) -> list[int]:
    """Token ids of a conversation up to where the assistant's next turn begins.

    Control tokens that someone typed into a message count as plain text.
    """
    marked = mark_control_tokens(list(messages), _pattern(control_tokens(tokenizer)))
    texts = Rendering(tokenizer, marked, tools).parts_before(len(marked))
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
    """The special tokens, which only the template may write; the tags of thoughts may stand in an answer, too."""
    return [token for token in special_tokens(tokenizer) if token not in THOUGHT_TAGS]


def find_control_token(tokens: Sequence[str], text: str) -> str | None:
    """The first of the control tokens `tokens` that stands in `text`."""
    found = _pattern(tokens).search(text)
    return found[0] if found else None


def _behind(tokenizer: PreTrainedTokenizerFast, line_break: list[int], text: str) -> list[int]:
    ids: list[int] = encode_marked_chat(tokenizer, f"\n{text}")
    return ids[len(line_break) :] if ids[: len(line_break)] == line_break else list(encode_marked_chat(tokenizer, text))


def _pattern(tokens: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
