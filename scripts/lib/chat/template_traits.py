"""What a chat template does, found by rendering small conversations with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerFast

from lib.chat.rendering import Message, RenderingError, Tools, render, special_tokens

_SYSTEM, _QUESTION, _ANSWER, _RESULT, _SECOND = "SYSTEM PROMPT", "FIRST QUESTION", "ANSWER", "RESULT", "SECOND QUESTION"
_FUNCTION = {"name": "known_tool", "description": "", "parameters": {"type": "object"}}


@dataclass(frozen=True)
class DefaultSystem:
    """A system prompt that a template writes by itself."""

    text: str
    turn: str
    """The whole turn that says it; the text alone where it cannot be told where that begins or ends."""


class TemplateTraits:
    """Looks at the chat template `text`, or at the tokenizer's. Raises RenderingError when it renders no question."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, text: str | None = None) -> None:
        self._tokenizer = tokenizer
        self._text = text
        self._special = special_tokens(tokenizer)

    def end_token(self) -> str | None:
        """The special token that ends an answer: what follows it, or begins the next turn where nothing does."""
        return self._first(self.behind_answer()) or self._first(self._between_turns())

    def behind_answer(self) -> str:
        """What follows the last answer."""
        return self._render([_user(_QUESTION), _assistant(_ANSWER)]).rpartition(_ANSWER)[2]

    def takes_system(self) -> bool:
        """Whether a system prompt is written."""
        return self._writes(_SYSTEM, [_system(_SYSTEM), _user(_QUESTION)])

    def default_system(self) -> DefaultSystem | None:
        """The system prompt of conversations that have none of their own."""
        if not self.takes_system():
            return None
        before = self._render([_user(_QUESTION)]).partition(_QUESTION)[0]
        head, _, rest = self._render([_system(_SYSTEM), _user(_QUESTION)]).partition(_SYSTEM)
        tail = rest.partition(_QUESTION)[0]
        text = before.removeprefix(head).removesuffix(tail)
        if not text or before != head + text + tail:
            return None
        start = self._turn_start()
        end = self.end_token()
        behind = re.match(rf"\s*{re.escape(end)}\s*", tail) if end else None
        if start is None or start not in head or behind is None:
            return DefaultSystem(text, text)
        return DefaultSystem(text, head[head.rindex(start) :] + text + behind[0])

    def writes_tools(self) -> bool:
        """Whether the functions that may be called are written."""
        return self._writes("known_tool", [_user(_QUESTION)], [{"type": "function", "function": _FUNCTION}])

    def writes_calls(self) -> bool:
        """Whether an answer that calls a function says so; its arguments may have to be an object, or text."""
        return any(
            self._writes("called_tool", [_user(_QUESTION), _call(arguments)]) for arguments in ({"a": 1}, '{"a": 1}')
        )

    def writes_results(self) -> bool:
        """Whether turns of tools are written."""
        result = {"role": "tool", "name": "called_tool", "tool_call_id": "123456789", "content": _RESULT}
        return any(
            self._writes(_RESULT, [_user(_QUESTION), answer, result, _assistant(_ANSWER)])
            for answer in (_call({"a": 1}), _call('{"a": 1}'), _assistant(_ANSWER))
        )

    def _writes(self, text: str, messages: Sequence[Message], tools: Tools = ()) -> bool:
        try:
            return text in self._render(messages, tools)
        except RenderingError:
            return False

    def _turn_start(self) -> str | None:
        """The special token that begins a turn."""
        between = self._between_turns().lstrip().removeprefix(self._first(self.behind_answer()) or "")
        places = {between.find(token): token for token in self._special if token in between}
        return places[min(places)] if places else None

    def _between_turns(self) -> str:
        """What is written between an answer and the next question."""
        talk = self._render([_user(_QUESTION), _assistant(_ANSWER), _user(_SECOND)])
        return talk.rpartition(_ANSWER)[2].partition(_SECOND)[0]

    def _first(self, text: str) -> str | None:
        """The special token with which `text` begins."""
        return next((token for token in self._special if text.lstrip().startswith(token)), None)

    def _render(self, messages: Sequence[Message], tools: Tools = ()) -> str:
        return render(self._tokenizer, messages, tools, template=self._text)


def _call(arguments: Any) -> dict[str, Any]:
    function = {"name": "called_tool", "arguments": arguments}
    return _assistant("") | {"tool_calls": [{"id": "123456789", "type": "function", "function": function}]}


def _system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def _user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}
