"""Conversations as a chat template renders them: each answer, and the prompt that asks for it.

The prompt of an answer is the template's rendering of the turns before it with a generation prompt, as at inference.
The answer is what the rendering adds to that once the answer is there, up to its end token.

transformers' own marks of what the assistant says (`return_assistant_tokens_mask`) need `{% generation %}` in the
template. Of six published templates (Qwen3, Llama 3.1, Gemma 2, GLM-4, Mistral, DeepSeek R1) none has it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from lib.core.errors import UserError

Message = Mapping[str, Any]
Tools = Sequence[Mapping[str, Any]]

THOUGHT_TAGS = ("<think>", "</think>")
_THOUGHT = re.compile(r"\s*<think>(.*?)</think>\s*(.*)", re.DOTALL)
_OPENED_THOUGHT = re.compile(r"<think>\s*\Z")


class RenderingError(UserError):
    """A chat template refuses a conversation or leaves out part of it."""


class Rendering:
    """A conversation and its chat template; places are those of `messages`. Raises RenderingError on first use."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], tools: Tools = ()) -> None:
        self.messages = messages
        self.tools = tools
        self._tokenizer = tokenizer
        self._places = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        self._prompts: dict[int, str] = {}
        self._answers: dict[int, str] = {}

    def prompt(self, place: int) -> str:
        """What the model is given before it answers at `place`, as inference has it."""
        if place not in self._prompts:
            self._prompts[place] = render(self._tokenizer, self.messages[:place], self.tools, to_answer=True)
        return self._prompts[place]

    def answer(self, place: int) -> str:
        """What the model is to write at `place`, its end token included."""
        if place not in self._answers:
            self._answers[place] = self._answer(place)
        return self._answers[place]

    def parts_before(self, place: int) -> list[str]:
        """The prompt at `place` cut where earlier answers begin and end: every second part is an answer.

        A single part where the template renders earlier turns differently once the conversation goes on.
        """
        prompt, before = self.prompt(place), ""
        parts: list[str] = []
        try:
            for earlier in self._places:
                if earlier < place:
                    if not self.prompt(earlier).startswith(before):
                        return [prompt]
                    parts += [self.prompt(earlier)[len(before) :], self.answer(earlier)]
                    before = self.prompt(earlier) + self.answer(earlier)
        except RenderingError:  # an earlier answer that the template writes in its own way only
            return [prompt]
        return [*parts, prompt[len(before) :]] if prompt.startswith(before) else [prompt]

    def keeps_history(self, place: int) -> bool:
        """Whether the prompt at `place` holds all earlier turns as they were rendered when they were the last ones."""
        earlier = sum(other < place for other in self._places)
        return len(self.parts_before(place)) == 2 * earlier + 1

    def check(self, place: int) -> None:
        """Raise RenderingError unless the answer at `place`, and all turns since the answer before, are written out."""
        first = max((other + 1 for other in self._places if other < place), default=0)
        for number, message in enumerate(self.messages[first : place + 1], first + 1):
            if message["role"] == "assistant":
                rendered = self.answer(place)
                thought, content = split_thought(message)
                if thought and not _holds(rendered, thought):
                    raise RenderingError(f"the chat template leaves out what the assistant thinks in turn {number}")
            else:
                rendered, content = self.prompt(place), message["content"]
            names = [call["function"]["name"] for call in _calls(message)]
            if not all(_holds(rendered, text) for text in (content, *names)):
                raise RenderingError(f"the chat template leaves out what turn {number} ({message['role']}) says")
            for arguments in (call["function"].get("arguments") for call in _calls(message)):
                if isinstance(arguments, dict) and _is_python(arguments, rendered):
                    raise RenderingError(f"the chat template writes the arguments in turn {number} as Python, not JSON")
        if self.tools and self.prompt(place) == render(self._tokenizer, self.messages[:place], (), to_answer=True):
            raise RenderingError("the chat template leaves out the tools; use one that knows them, or take them out")

    def _answer(self, place: int) -> str:
        prompt = self.prompt(place)
        rendered = render(self._tokenizer, self.messages[: place + 1], self.tools)
        opened = _OPENED_THOUGHT.search(prompt)
        if rendered.startswith(prompt):
            rest = rendered[len(prompt) :]
        elif opened and rendered.startswith(prompt[: opened.start()]):
            rest = _continued(self.messages[place], opened[0], rendered[opened.start() :])
        else:
            rest = _behind_last_turn(prompt, rendered, self.messages[place - 1]["content"].strip())
            if not rest:
                raise RenderingError(
                    f"the chat template renders what comes before turn {place + 1} differently once it is answered"
                )
        text, end, _ = rest.rpartition(str(self._tokenizer.eos_token))
        return text + end if end else rest + self._next_turn(place, rendered)

    def _next_turn(self, place: int, rendered: str) -> str:
        """The token that begins the turn behind `rendered`: it ends an answer in templates that write no other.

        GLM 4 has such a template; its model writes the token that hands over to the user, or to a tool.
        """
        following = self.messages[place + 1] if place + 1 < len(self.messages) else {"role": "user", "content": "…"}
        more = render(self._tokenizer, [*self.messages[: place + 1], following], self.tools)
        tokens = "|".join(map(re.escape, special_tokens(self._tokenizer))) or "(?!)"
        found = re.match(rf"\s*(?:{tokens})", more.removeprefix(rendered)) if more.startswith(rendered) else None
        if not found:
            raise RenderingError(
                f"the chat template does not end turn {place + 1} with the end token {self._tokenizer.eos_token}"
            )
        return found[0]


def special_tokens(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The special tokens, longest first."""
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return sorted(special, key=len, reverse=True)


def render(
    tokenizer: PreTrainedTokenizerFast,
    messages: Sequence[Message],
    tools: Tools,
    to_answer: bool = False,
    template: str | None = None,
) -> str:
    """The text of a conversation; with `to_answer`, up to where the assistant's next turn begins.

    In the tokenizer's own template, unless another is given.
    """
    try:
        return str(
            tokenizer.apply_chat_template(
                list(messages),
                tools=list(tools) or None,
                chat_template=template,
                tokenize=False,
                add_generation_prompt=to_answer,
            )
        )
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise RenderingError(f"the chat template cannot render this conversation: {error}") from None


def split_thought(message: Message) -> tuple[str, str]:
    """What a turn of the assistant thinks, apart from the rest of it; the former may be written into its content."""
    content = message["content"]
    if message.get("reasoning_content"):
        return message["reasoning_content"], content
    found = _THOUGHT.fullmatch(content)
    return (found[1], found[2]) if found else ("", content)


def forms(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """A conversation in each form that some template wants, the record's own first.

    Thoughts are in a field of their own or in the content; a call's arguments are an object or JSON text, and its id is
    the record's or one of nine letters and digits, as Mistral's templates demand.
    """
    messages = _with_tool_names(messages)
    thoughts = [_unchanged]
    if any(message["role"] == "assistant" and split_thought(message)[0] for message in messages):
        thoughts += [_thought_in_content, _thought_in_field]
    has_calls = any(message.get("tool_calls") for message in messages)
    for write_arguments in (_unchanged, _arguments_as_text) if has_calls else (_unchanged,):
        for write_ids in (list[Message], _with_ids) if has_calls else (list[Message],):
            for write_thought in thoughts:
                yield write_ids([write_arguments(write_thought(message)) for message in messages])


def _unchanged(message: Message) -> Message:
    return message


def _thought_in_content(message: Message) -> Message:
    thought, content = split_thought(message) if message["role"] == "assistant" else ("", "")
    if not thought:
        return message
    return _without_thought(message) | {"content": f"<think>\n{thought.strip()}\n</think>\n\n{content}"}


def _thought_in_field(message: Message) -> Message:
    thought, content = split_thought(message) if message["role"] == "assistant" else ("", "")
    return {**message, "content": content, "reasoning_content": thought.strip()} if thought else message


def _without_thought(message: Message) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in ("reasoning_content", "reasoning", "thinking")}


def _arguments_as_text(message: Message) -> Message:
    if not message.get("tool_calls"):
        return message
    functions = [dict(call["function"]) for call in message["tool_calls"]]
    for function in functions:
        if not isinstance(function.get("arguments"), str):
            function["arguments"] = json.dumps(function.get("arguments", {}), ensure_ascii=False)
    calls = zip(message["tool_calls"], functions, strict=True)
    return {**message, "tool_calls": [{**call, "function": function} for call, function in calls]}


def _with_tool_names(messages: Sequence[Message]) -> list[Message]:
    """Messages whose tool results name the function that gave them."""
    done: list[Message] = []
    calls: list[Message] = []
    for message in messages:
        if message["role"] == "assistant":
            calls = list(_calls(message))
        elif message["role"] == "tool" and calls:
            message = {"name": _take_call(calls, message)["function"]["name"], **message}
        done.append(message)
    return done


def _with_ids(messages: Sequence[Message]) -> list[Message]:
    """Messages whose calls have new ids, and their results the same."""
    done: list[Message] = []
    calls: list[Message] = []
    number = 0
    for message in messages:
        if message["role"] == "assistant":
            calls = [{**call, "new": f"call{number + place:05d}"} for place, call in enumerate(_calls(message))]
            number += len(calls)
            if calls:
                renamed = [{**call, "id": new["new"]} for call, new in zip(_calls(message), calls, strict=True)]
                message = {**message, "tool_calls": renamed}
        elif message["role"] == "tool" and calls:
            message = {**message, "tool_call_id": _take_call(calls, message)["new"]}
        done.append(message)
    return done


def _take_call(calls: list[Message], result: Message) -> Message:
    """The call that a result answers, by its id or else the first, taken out of those that wait for one."""
    ids = [call.get("id") for call in calls]
    wanted = result.get("tool_call_id")
    return calls.pop(ids.index(wanted) if wanted is not None and wanted in ids else 0)


def _calls(message: Message) -> Sequence[Message]:
    return message.get("tool_calls") or ()


def _continued(message: Message, opening: str, rendered: str) -> str:
    """The rest of an answer whose thought the prompt has opened; the template would write `rendered` in its place."""
    if rendered.lstrip().startswith(THOUGHT_TAGS[0]):
        return rendered.lstrip().removeprefix(THOUGHT_TAGS[0]).lstrip("\n")
    line_break = "" if opening.endswith("\n") else "\n"
    thought, _ = split_thought(message)
    return f"{line_break}{thought.strip()}\n</think>\n\n" + rendered.lstrip("\n")


def _behind_last_turn(prompt: str, rendered: str, said: str) -> str:
    """What follows the last turn of a prompt, which says `said`, where that is rendered differently once answered.

    Mistral's templates, for one, move the system prompt to the last question, and leave it out behind that. Empty
    where it cannot be found.
    """
    ending = prompt.rpartition(said)[2] if said and said in prompt else ""
    return rendered.rpartition(said + ending)[2] if ending.strip() else ""


def _holds(rendered: str, text: str) -> bool:
    """Whether a text is in the rendering, as it is or inside JSON."""
    text = text.strip()
    return text in rendered or json.dumps(text, ensure_ascii=False)[1:-1] in rendered


def _is_python(arguments: Mapping[str, Any], rendered: str) -> bool:
    return bool(arguments) and repr(arguments) in rendered
