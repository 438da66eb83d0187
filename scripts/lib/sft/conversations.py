"""Conversations: what a record of instruction data says, whatever layout it has.

Layouts, told by their keys:

    alpaca    instruction, output; optional: input, system, history (list of [question, answer])
    sharegpt  conversations: list of {from, value}; optional: system, tools
    messages  messages: list of {role, content, tool_calls}; optional: tools (the chat format of OpenAI)

Each may have a `category`. The turns of a conversation are: a system prompt or none; then user and assistant in turn,
the assistant last; tool results stand between two turns of the assistant.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lib.core.errors import UserError
from lib.settings.sheets import LAYOUTS
from lib.sft.turns import Role, Turn

KEYS = {"messages": "messages", "conversations": "sharegpt", "instruction": "alpaca"}
"""Layout by the key that only its records have; the first one found counts."""
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
FOLLOWERS: dict[Role | None, tuple[Role, ...]] = {
    None: ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("tool", "assistant"),
}
ORDER = "system (or none), then user and assistant in turn, tool results between two turns of the assistant"


@dataclass(frozen=True)
class Conversation:
    """One example: turns that end with the assistant's."""

    turns: tuple[Turn, ...]
    category: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Functions that the assistant may call, as JSON schemas."""
    repairs: tuple[str, ...] = field(default=(), compare=False)
    """What was mended in the record, by kind."""
    unread_keys: tuple[str, ...] = field(default=(), compare=False)
    """Keys of the record that nothing reads."""

    def messages(self, input_joint: str) -> list[dict[str, Any]]:
        """The turns as chat templates take them."""
        return [turn.message(input_joint) for turn in self.turns]

    @property
    def prompt(self) -> str:
        """The system prompt and the first question, by which training and validation are told apart."""
        turns = self.turns[: 2 if self.turns[0].role == "system" else 1]
        return "\0".join(" ".join([turn.role, *f"{turn.content} {turn.input}".split()]) for turn in turns)

    def texts(self) -> Iterator[str]:
        """All that was said but the system prompt, which many examples may share."""
        for turn in self.turns:
            if turn.role != "system":
                yield turn.message("\n")["content"]
                if turn.reasoning_content:
                    yield turn.reasoning_content
                yield from (json.dumps(call, ensure_ascii=False, sort_keys=True) for call in turn.tool_calls)

    def without_oldest(self) -> "Conversation | None":
        """The conversation without its first question and all that belongs to it; None when no other is left."""
        first = 1 if self.turns[0].role == "system" else 0
        later = [place for place, turn in enumerate(self.turns) if turn.role == "user" and place > first]
        return replace(self, turns=self.turns[:first] + self.turns[later[0] :]) if later else None


def parse(record: Any, layout: str = "") -> Conversation:
    """The conversation that `record` holds in `layout` ("" tells it by the keys).

    Raises UserError that says what is wrong with the record, not where it stands.
    """
    if not isinstance(record, Mapping):
        raise UserError(f"expected an object with keys, found {_short(record)}")
    if not layout:
        layout = next((name for key, name in KEYS.items() if record.get(key) is not None), "")
        if not layout:
            raise UserError(f"none of the keys {', '.join(KEYS)}; {_found(record)}")
    turns = tuple(turn for turn in PARSERS[layout](record) if turn.role != "system" or turn.content.strip())
    _check(turns)
    tools = _json_list(record, "tools")
    return Conversation(turns, category=_text(record, "category"), tools=tuple(tools))


def _alpaca(record: Mapping[str, Any]) -> Iterator[Turn]:
    for key in ("instruction", "output"):
        if record.get(key) is None:
            raise UserError(f"no {key!r}; {_found(record)}")
    yield Turn("system", _text(record, "system"))
    for pair in _json_list(record, "history"):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise UserError(f"history must be a list of [question, answer], not {_short(pair)}")
        yield Turn("user", pair[0])
        yield Turn("assistant", pair[1])
    yield Turn("user", _text(record, "instruction"), input=_text(record, "input"))
    yield Turn("assistant", _text(record, "output"))


def _sharegpt(record: Mapping[str, Any]) -> Iterator[Turn]:
    yield Turn("system", _text(record, "system"))
    yield from _turns(record, "conversations")


def _messages(record: Mapping[str, Any]) -> Iterator[Turn]:
    return _turns(record, "messages")


def _turns(record: Mapping[str, Any], key: str) -> Iterator[Turn]:
    if record.get(key) is None:
        raise UserError(f"no {key!r}; {_found(record)}")
    for number, turn in enumerate(_json_list(record, key), 1):
        where = f"{key}, turn {number}"
        if not isinstance(turn, Mapping):
            raise UserError(f"{where}: expected an object, found {_short(turn)}")
        role_key, text_key = ("role", "content") if turn.get("role") is not None else ("from", "value")
        if turn.get(role_key) is None:
            raise UserError(f"{where}: no role or from; {_found(turn)}")
        name = turn[role_key]
        if not isinstance(name, str) or name.lower() not in ROLES:
            raise UserError(f"{where}: unknown role {_short(name)}; known: {', '.join(ROLES)}")
        calls = tuple(_call(call, where) for call in _json_list(turn, "tool_calls"))
        if text_key not in turn and not calls:
            raise UserError(f"{where}: no {text_key!r}; {_found(turn)}")
        yield Turn(ROLES[name.lower()], _content(turn.get(text_key), f"{where}: {text_key}"), tool_calls=calls)


def _check(turns: tuple[Turn, ...]) -> None:
    """Raise UserError unless the turns stand in order and say something."""
    before: Role | None = None
    for number, turn in enumerate(turns, 1):
        if turn.role not in FOLLOWERS[before]:
            raise UserError(f"turn {number} is {turn.role} after {before or 'nothing'}; the order is {ORDER}")
        if turn.role in ("user", "assistant") and not turn.content.strip() and not turn.tool_calls:
            what = {"user": "question", "assistant": "response"}[turn.role]
            raise UserError(f"turn {number}: the {what} is empty")
        before = turn.role
    if before != "assistant":
        raise UserError(f"the last turn is {before or 'missing'}; it must be the assistant's")


def _call(call: Any, where: str) -> Mapping[str, Any]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise UserError(f"{where}: a tool call needs a function with a name, found {_short(call)}")
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):  # as OpenAI writes it; templates want the object
        try:
            arguments = json.loads(arguments)
        except ValueError:
            raise UserError(f"{where}: the arguments of {function['name']} are not JSON") from None
    return {"type": "function", "function": {"name": function["name"], "arguments": arguments}}


def _content(value: Any, where: str) -> str:
    """Text of a turn: a string, or a list of parts of which each is a text."""
    if isinstance(value, list):
        for part in value:
            if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
                raise UserError(f"{where} may hold parts of text only, not {_short(part)}")
        return "".join(part["text"] for part in value)
    return _checked(value, where)


def _text(record: Mapping[str, Any], key: str) -> str:
    return _checked(record.get(key), key)


def _checked(value: Any, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{where} must be text, not {_short(value)}")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise UserError(f"{where} holds half a surrogate pair, which is no character")
    return value


def _json_list(record: Mapping[str, Any], key: str) -> list[Any]:
    """A list, also one that is written as JSON text, as in the cell of a table; empty when there is none."""
    value = record.get(key)
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError as error:
            raise UserError(f"{key} is not JSON ({error})") from None
    if not value:
        return []
    if not isinstance(value, list):
        raise UserError(f"{key} must be a list, not {_short(value)}")
    return value


def _found(record: Mapping[str, Any]) -> str:
    return f"found: {', '.join(map(str, sorted(record))) or 'no keys'}"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:60]


PARSERS: dict[str, Callable[[Mapping[str, Any]], Iterator[Turn]]] = dict(
    zip(LAYOUTS, (_alpaca, _sharegpt, _messages), strict=True)
)
