"""Turns put in order where there is one obvious way, and what is wrong with them where there is none."""

from collections.abc import Sequence

from lib.core.errors import UserError
from lib.sft.turns import Role, Turn

FOLLOWERS: dict[Role | None, tuple[Role, ...]] = {
    None: ("system", "user"),
    "system": ("user", "assistant"),
    "user": ("assistant", "system"),
    "assistant": ("user", "tool", "system"),
    "tool": ("tool", "assistant"),
}
ORDER = "system (or none), then user and assistant in turn, tool results between two turns of the assistant"
JOINED: dict[Role, tuple[str, str]] = {
    "system": ("system_prompts_joined", "\n\n"),
    "user": ("questions_joined", "\n"),
}
"""Turns that may follow one another: what joining them is called, and what is put between them."""


class UntrainedError(UserError):
    """There is nothing wrong with the record, but it says that none of it is to be trained."""


def in_order(turns: Sequence[Turn], repairs: list[str]) -> tuple[Turn, ...]:
    """The turns from the first question to the last answer that is trained; adds to `repairs` what was mended.

    Raises UserError when they cannot be put in order or say nothing, UntrainedError when no answer is to be trained.
    """
    kept = [turn for turn in turns if turn.role != "system" or turn.content.strip()]
    kept = joined(_from_first_question(kept, repairs), repairs)
    _cut(kept, _last(kept, [turn.role == "assistant" for turn in kept]), "last_question_dropped", repairs)
    if not kept:
        raise UserError("no question is followed by an answer")
    _check(kept)
    trained = _last(kept, [turn.role == "assistant" and turn.is_trained for turn in kept])
    if trained < 0:
        raise UntrainedError("no answer is to be trained")
    _cut(kept, trained, "untrained_end_dropped", repairs)
    return tuple(kept)


def joined(turns: Sequence[Turn], repairs: list[str]) -> list[Turn]:
    """`turns` with system prompts and questions that directly follow one another as one."""
    result: list[Turn] = []
    for turn in turns:
        if result and turn.role == result[-1].role and turn.role in JOINED:
            kind, joint = JOINED[turn.role]
            repairs.append(kind)
            texts = [one.message(joint)["content"] for one in (result[-1], turn)]
            result[-1] = Turn(turn.role, joint.join(text for text in texts if text.strip()))
        else:
            result.append(turn)
    return result


def _from_first_question(turns: Sequence[Turn], repairs: list[str]) -> list[Turn]:
    first = next((place for place, turn in enumerate(turns) if turn.role == "user"), len(turns))
    before = [turn for turn in turns[:first] if turn.role == "system"]
    if len(before) < first:
        repairs.append("leading_answer_dropped")
    return [*before, *turns[first:]]


def _last(turns: Sequence[Turn], fits: Sequence[bool]) -> int:
    return max((place for place in range(len(turns)) if fits[place]), default=-1)


def _cut(turns: list[Turn], last: int, kind: str, repairs: list[str]) -> None:
    if last < len(turns) - 1:
        del turns[last + 1 :]
        repairs.append(kind)


def _check(turns: Sequence[Turn]) -> None:
    """Raise UserError unless the turns stand in order and say something."""
    before: Role | None = None
    for number, turn in enumerate(turns, 1):
        if turn.role not in FOLLOWERS[before]:
            raise UserError(f"turn {number} is {turn.role} after {before or 'nothing'}; the order is {ORDER}")
        if turn.role in ("user", "assistant") and not turn.content.strip() and not turn.tool_calls:
            what = {"user": "question", "assistant": "answer"}[turn.role]
            raise UserError(f"turn {number}: the {what} is empty")
        before = turn.role
