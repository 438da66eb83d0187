"""Conversations: what a record of instruction data says, whatever layout it has.

Layouts, inferred from their keys (other names of a key: lib.sft.layouts.KEYS):

    alpaca    instruction, output; optional: input, system, history (list of [question, answer]), reasoning_content
    sharegpt  conversations: list of {from, value}; optional: system, tools
    messages  messages: list of {role, content, tool_calls}; optional: system, tools (the chat format of OpenAI)

Each may have a `category`, and `short_answer` where only the same answer is right. A turn of the assistant may have
`reasoning_content`, and `weight` or `train` to keep it from being trained. The turns of a conversation are: a system
prompt or none; then user and assistant in turn, the assistant last; tool results are put between two turns of the
assistant; a later system prompt before a question or an answer. Records that are nearly so are repaired; see
lib.sft.repairs.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lib.core.errors import UserError
from lib.sft.layouts import RecordReader, short
from lib.sft.repairs import UntrainedError, in_order, joined
from lib.sft.turns import Turn


@dataclass(frozen=True)
class Conversation:
    """One example: turns that end with an answer that is trained."""

    turns: tuple[Turn, ...]
    category: str = ""
    short_answer: bool = False
    """Whether the last answer is right only when it is the same, which evaluation then looks for."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Functions that the assistant may call, as JSON schemas."""
    repairs: tuple[str, ...] = field(default=(), compare=False)
    """What was mended in the record, by kind."""
    unread_keys: tuple[str, ...] = field(default=(), compare=False)
    """Keys of the record that nothing reads; those of turns as `messages[].name`."""

    def messages(self, input_joint: str) -> list[dict[str, Any]]:
        """The turns as chat templates take them."""
        return [turn.message(input_joint) for turn in self.turns]

    @property
    def prompt(self) -> str:
        """The system prompt and the first question, by which training and validation are told apart."""
        turns = self.turns[: 2 if self.turns[0].role == "system" else 1]
        return "\0".join(" ".join([turn.role, *f"{turn.content} {turn.input}".split()]) for turn in turns)

    @property
    def uses_tools(self) -> bool:
        """Whether tools are described or called, or give results."""
        return bool(self.tools) or any(turn.tool_calls or turn.role == "tool" for turn in self.turns)

    def texts(self) -> Iterator[str]:
        """All that was said but system prompts, which many examples may share."""
        for turn in self.turns:
            if turn.role != "system":
                yield turn.message("\n")["content"]
                if turn.reasoning_content:
                    yield turn.reasoning_content
                yield from (json.dumps(call, ensure_ascii=False, sort_keys=True) for call in turn.tool_calls)

    def without_oldest(self) -> "Conversation | None":
        """The conversation without its first question and all that belongs to it; None when no other is left.

        System prompts that came before stay, since they hold for what follows.
        """
        questions = [place for place, turn in enumerate(self.turns) if turn.role == "user"]
        if len(questions) < 2:
            return None
        system = [turn for turn in self.turns[: questions[1]] if turn.role == "system"]
        shorter = tuple(joined([*system, *self.turns[questions[1] :]], []))
        return replace(self, turns=shorter)


def parse(record: Any, layout: str = "", columns: Mapping[str, str] | None = None) -> Conversation:
    """The conversation that `record` holds in `layout`, inferred from the keys when it is "".

    `columns` gives the record's names for keys: theirs by ours. Raises UserError that says what is wrong with a record
    that cannot be repaired, not where it is; UntrainedError for one that is not to be trained.
    """
    if not isinstance(record, Mapping):
        raise UserError(f"expected an object with keys, found {short(record)}")
    try:
        reader = RecordReader(record, columns or {})
        turns = in_order(reader.turns(layout or reader.layout()), reader.repairs)
        if not reader.fields.may_be_trained(is_answer=False):
            raise UntrainedError("the record is not to be trained")
        category, short_answer, tools = reader.category(), reader.short_answer(), reader.tools()
    except RecursionError:
        raise UserError("the record is nested too deeply") from None
    repairs, unread_keys = tuple(dict.fromkeys(reader.repairs)), reader.unread_keys()
    return Conversation(turns, category, short_answer, tools, repairs, unread_keys)
