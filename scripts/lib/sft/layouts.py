"""Records of instruction data in every layout, read into turns as they are written; see lib.sft.conversations."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lib.core.errors import UserError
from lib.files.decoding import LONE_SURROGATE, valid_text
from lib.settings.sheets import LAYOUTS
from lib.sft.turns import REASONING_KEYS, Role, Turn

KEYS = {
    "messages": ("messages",),
    "conversations": ("conversations", "conversation"),
    "instruction": ("instruction", "prompt", "query", "question"),
    "output": ("output", "completion", "response", "answer"),
    "system": ("system", "system_prompt"),
    "tools": ("tools", "functions"),
    "role": ("role", "from"),
    "content": ("content", "value"),
    "reasoning_content": REASONING_KEYS,
}
"""Other names under which a key is looked for; the first one that holds something counts."""
LAYOUT_KEYS = {"messages": "messages", "conversations": "sharegpt", "instruction": "alpaca"}
"""Layout by the key that only its records have; the first one found counts."""
TRAINED_KEYS = ("weight", "train")
"""Keys of a turn that say, by true or false, 1 or 0, whether it is trained."""
ALSO_TRAINED_KEYS = ("training", "loss")
"""Keys that say so in some sets, and hold figures in others."""
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
    "ipython": "tool",
}
CALLING_ROLES = ("function_call", "tool_call")
"""Roles whose text is a call, written as JSON."""
MODES = ("on", "off")
"""What some records hold in a key named like a thought: whether the answer was thought about."""
_FALSE, _TRUE = ("0", "false"), ("1", "true")


class Fields:
    """An object of a record, which remembers the keys that were asked for and what had to be mended."""

    def __init__(self, values: Mapping[str, Any], columns: Mapping[str, str], repairs: list[str]) -> None:
        self.values = values
        self.columns = columns
        """Names that the sheet gives for keys: theirs by ours."""
        self.repairs = repairs
        self._read: set[str] = set()

    def name(self, key: str) -> str:
        """The name under which the object has `key`: the sheet's, or the first that holds something."""
        if key in self.columns:
            return self.columns[key]
        there = [name for name in KEYS.get(key, (key,)) if name in self.values]
        return next((name for name in there if not _is_empty(self.values[name])), there[0] if there else key)

    def get(self, key: str) -> Any:
        """The value of `key`; None when there is none."""
        name = self.name(key)
        self._read.add(name)
        value = self.values.get(name)
        return None if _is_missing(value) else value

    def required(self, key: str) -> Any:
        """The value of `key`, which may be null but must be there."""
        name = self.name(key)
        if name not in self.values:
            named = f" (named in the sheet's column columns as {key})" if key in self.columns else ""
            raise UserError(f"no {name!r}{named}; {self.found()}")
        return self.get(key)

    def text(self, key: str) -> str:
        """The text of `key`, "" when there is none. A number becomes text."""
        return self.as_text(self.get(key), self.name(key))

    def as_text(self, value: Any, where: str) -> str:
        """A string, a number, or a list of parts each of which is a text."""
        if value is None:
            return ""
        if isinstance(value, list):
            if len(value) == 1 and isinstance(value[0], str):
                return self.as_text(value[0], where)
            for part in value:
                if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
                    raise UserError(f"{where} may hold parts of text only, not {short(part)}")
            return self.as_text("".join(part["text"] for part in value), where)
        if isinstance(value, int | float):
            self.repairs.append("number_as_text")
            return json.dumps(value)
        if not isinstance(value, str):
            raise UserError(f"{where} must be text, not {short(value)}")
        if not value.isascii():
            if LONE_SURROGATE.search(value):
                raise UserError(f"{where} holds half a surrogate pair, which is no character")
            if "\ufffd" in value:
                raise UserError(f"{where} holds U+FFFD, which stands for a character that was lost")
        return value

    def items(self, key: str) -> list[Any]:
        """A list, also one that is written as JSON text, as in the cell of a table; empty when there is none."""
        value, name = self.get(key), self.name(key)
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except ValueError as error:
                raise UserError(f"{name} is not JSON ({error})") from None
        if not value:
            return []
        if not isinstance(value, list):
            raise UserError(f"{name} must be a list, not {short(value)}")
        return value

    def thought(self) -> str:
        """What the assistant thinks before it answers, where it is a text."""
        value = self.values.get(self.name("reasoning_content"))
        is_text = isinstance(value, str) and value.strip().lower() not in MODES
        return self.text("reasoning_content") if is_text else ""

    def may_be_trained(self, is_answer: bool) -> bool:
        """Whether the record lets this object be trained; a key that cannot be followed stays unread.

        UserError for an answer that should be trained in part.
        """
        is_allowed = True
        for key in (*TRAINED_KEYS, *ALSO_TRAINED_KEYS):
            if _is_missing(self.values.get(key)):
                continue
            value = str(self.values[key]).lower().removesuffix(".0")
            if value in _FALSE:
                is_allowed = False
                self._read.add(key)
            elif is_answer and value in _TRUE:
                self._read.add(key)
            elif is_answer and key in TRAINED_KEYS:
                raise UserError(f"{key} must be 0 or 1, not {short(self.values[key])}")
        return is_allowed

    def unread(self) -> Iterator[str]:
        """Keys that hold something and that nobody asked for."""
        return (
            valid_text(str(key)) for key, value in self.values.items() if key not in self._read and not _is_empty(value)
        )

    def found(self) -> str:
        """The keys, for a message."""
        return f"found: {valid_text(', '.join(sorted(map(str, self.values)))[:200]) or 'no keys'}"


class RecordReader:
    """Reads one record; collects what had to be mended and which keys nothing read."""

    def __init__(self, record: Mapping[str, Any], columns: Mapping[str, str]) -> None:
        self.repairs: list[str] = []
        self.fields = Fields(record, columns, self.repairs)
        self._of_turns: list[str] = []

    def layout(self) -> str:
        """The layout, inferred from the keys; UserError when they are those of none."""
        for key, layout in LAYOUT_KEYS.items():
            if not _is_missing(self.fields.values.get(self.fields.name(key))):
                return layout
        names = ", ".join(self.fields.name(key) for key in LAYOUT_KEYS)
        raise UserError(f"none of the keys {names}; {self.fields.found()}")

    def turns(self, layout: str) -> list[Turn]:
        """The turns in the order of the record, which may not be a good one."""
        return list(_PARSERS[layout](self))

    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """Functions that the assistant may call, each as an object with `type` and `function`."""
        return tuple(_tool(tool) for tool in self.fields.items("tools"))

    def category(self) -> str:
        """The category that the record names, whatever kind of value it is."""
        value = self.fields.get("category")
        return self.fields.text("category") if isinstance(value, str | None) else short(value)

    def short_answer(self) -> bool:
        """Whether the record says that its answer is right only when it is the same; UserError for another value."""
        value = self.fields.get("short_answer")
        text = "" if value is None else str(value).strip().lower()
        if text not in ("", *_FALSE, *_TRUE):
            raise UserError(f"short_answer must be true or false, not {short(value)}")
        return text in _TRUE

    def unread_keys(self) -> tuple[str, ...]:
        """Keys that nothing read; those of turns as `messages[].name`."""
        return tuple(dict.fromkeys([*self.fields.unread(), *self._of_turns]))

    def alpaca(self) -> Iterator[Turn]:
        """One question and its answer, after a history of others."""
        fields = self.fields
        question, answer = fields.required("instruction"), fields.required("output")
        yield Turn("system", fields.text("system"))
        for pair in fields.items("history"):
            if not isinstance(pair, list) or len(pair) != 2:
                raise UserError(f"history must be a list of [question, answer], not {short(pair)}")
            yield Turn("user", fields.as_text(pair[0], "history"))
            yield Turn("assistant", fields.as_text(pair[1], "history"))
        if _are_turns(question):
            yield from self.listed("instruction")
        else:
            text, beside = fields.text("instruction"), fields.text("input")
            yield Turn("user", text, input=beside) if text.strip() else Turn("user", beside)
        if _are_turns(answer):
            yield from self.listed("output")
        else:
            yield Turn("assistant", fields.text("output"), reasoning_content=fields.thought())

    def sharegpt(self) -> Iterator[Turn]:
        """A list of turns and, beside it, a system prompt."""
        return self.conversation("conversations")

    def messages(self) -> Iterator[Turn]:
        """The same under another name."""
        return self.conversation("messages")

    def conversation(self, key: str) -> Iterator[Turn]:
        """The system prompt, then the turns that are listed in `key`."""
        self.fields.required(key)
        yield Turn("system", self.fields.text("system"))
        yield from self.listed(key)

    def listed(self, key: str) -> Iterator[Turn]:
        """The turns that are listed in `key`."""
        name = self.fields.name(key)
        for number, values in enumerate(self.fields.items(key), 1):
            where = f"{name}, turn {number}"
            if not isinstance(values, Mapping):
                raise UserError(f"{where}: expected an object, found {short(values)}")
            turn = Fields(values, self.fields.columns, self.repairs)
            yield _turn(turn, where)
            self._of_turns += (f"{name}[].{unread}" for unread in turn.unread())


def _turn(fields: Fields, where: str) -> Turn:
    name = fields.get("role")
    if name is None:
        raise UserError(f"{where}: no role or from; {fields.found()}")
    role_name = name.strip().lower() if isinstance(name, str) else ""
    if role_name not in ROLES:
        raise UserError(f"{where}: unknown role {short(name)}; known: {', '.join(ROLES)}")
    role = ROLES[role_name]
    calls = [_call(call, where) for call in fields.items("tool_calls")]
    if fields.get("function_call") is not None:  # as OpenAI wrote it first
        calls.append(_call(fields.get("function_call"), where))
    if not calls and fields.name("content") not in fields.values:
        raise UserError(f"{where}: no {fields.name('content')!r}; {fields.found()}")
    content = fields.as_text(fields.get("content"), f"{where}: {fields.name('content')}")
    if role_name in CALLING_ROLES and not calls and (found := _written_calls(content, where)):
        calls, content = found, ""
    return Turn(
        role,
        content,
        reasoning_content=fields.thought() if role == "assistant" else "",
        tool_calls=tuple(calls),
        is_trained=fields.may_be_trained(role == "assistant") or role != "assistant",
        name=fields.text("name") if role == "tool" else "",
        tool_call_id=fields.text("tool_call_id") if role == "tool" else "",
    )


def _call(call: Any, where: str) -> Mapping[str, Any]:
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise UserError(f"{where}: a tool call needs a function with a name, found {short(call)}")
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):  # as OpenAI writes it; templates want the object
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            raise UserError(f"{where}: the arguments of {function['name']} are not JSON") from None
    named = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
    return _plain({"type": "function", **named, "function": {"name": function["name"], "arguments": arguments}}, where)


def _written_calls(content: str, where: str) -> list[Mapping[str, Any]]:
    """The calls that a text of JSON holds; none when it is another text."""
    try:
        found = json.loads(content)
        return [_call(call, where) for call in (found if isinstance(found, list) else [found])]
    except (ValueError, UserError):
        return []


def _tool(tool: Any) -> Mapping[str, Any]:
    if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping):
        return _plain(tool, "tools")
    if isinstance(tool, Mapping) and isinstance(tool.get("name"), str):
        return _plain({"type": "function", "function": tool}, "tools")
    raise UserError(f"a tool needs a function with a name, found {short(tool)}")


def _plain(value: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """`value` as JSON has it; values of other types, as Parquet may hold, become text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if LONE_SURROGATE.search(text):
        raise UserError(f"{where} holds half a surrogate pair, which is no character")
    plain: Mapping[str, Any] = json.loads(text)
    return plain


def _are_turns(value: Any) -> bool:
    """Whether a question or an answer is a list of turns, as some records have it."""
    return isinstance(value, list) and any(isinstance(part, Mapping) and {"role", "from"} & set(part) for part in value)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_empty(value: Any) -> bool:
    return _is_missing(value) or (isinstance(value, str | list | Mapping) and not value)


def short(value: Any) -> str:
    """The beginning of a value, for a message."""
    return valid_text(json.dumps(value, ensure_ascii=False, default=str)[:60])


_PARSERS: dict[str, Callable[[RecordReader], Iterator[Turn]]] = dict(
    zip(LAYOUTS, (RecordReader.alpaca, RecordReader.sharegpt, RecordReader.messages), strict=True)
)
