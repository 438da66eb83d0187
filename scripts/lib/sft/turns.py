"""What one side of a conversation says, whatever layout it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Names under which records hold what the assistant thinks before it answers, and under which templates look for it."""


@dataclass(frozen=True)
class Turn:
    """What one side says."""

    role: Role
    content: str
    input: str = ""
    """Text that an instruction is about, where the record keeps it apart."""
    reasoning_content: str = ""
    """What the assistant thinks before it answers, where the record keeps it apart."""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    """Functions that the assistant calls, each with a `function` of `name` and `arguments`, and its `id` if any."""
    is_trained: bool = True
    """Of the assistant's turns: whether the loss counts it; without, it is context."""
    name: str = ""
    """Of a tool's result: the function that gave it, where the record says so."""
    tool_call_id: str = ""
    """Of a tool's result: the call that it answers, where the record says so."""

    def message(self, input_joint: str) -> dict[str, Any]:
        """The turn as chat templates take it; `input_joint` is put between an instruction and its input."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.input:
            message["content"] += input_joint + self.input
        if self.reasoning_content:
            message |= dict.fromkeys(REASONING_KEYS, self.reasoning_content)
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        if self.name:
            message["name"] = self.name
        if self.tool_call_id:
            message["tool_call_id"] = self.tool_call_id
        return message
