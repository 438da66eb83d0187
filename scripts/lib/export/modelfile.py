"""A Modelfile, by which Ollama takes a GGUF file: its chat template in Go's language, and what ends an answer.

Ollama does not run the Jinja template of the file. What a template writes around each message is found by rendering a
conversation, and the Go template made of it is kept only if it gives the same text for every kind of conversation.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from lib.chat.rendering import RenderingError, render

SYSTEM, FIRST, ANSWER, SECOND = "⟦system⟧", "⟦first⟧", "⟦answer⟧", "⟦second⟧"
TURNS = (("user", FIRST), ("assistant", ANSWER), ("user", SECOND), ("assistant", "…"), ("user", "?"))

Message = Mapping[str, str]


@dataclass(frozen=True)
class Around:
    """What a chat template writes around the messages of a conversation."""

    before_system: str
    after_system: str
    without_system: str
    before_user: str
    before_answer: str
    """Behind a question, where its answer follows."""
    after_answer: str
    to_answer: str
    """Behind the last question."""

    def text(self, messages: Sequence[Message]) -> str:
        """A conversation up to where the model answers, as the Go template gives it."""
        system = [message["content"] for message in messages if message["role"] == "system"]
        text = f"{self.before_system}{system[0]}{self.after_system}" if system else self.without_system
        for message in messages:
            if message["role"] == "user":
                text += self.before_user + message["content"]
            elif message["role"] == "assistant":
                text += self.before_answer + message["content"] + self.after_answer
        return text + self.to_answer

    def go_template(self) -> str:
        """The same in Go's language. Every line break in it is one of the text."""
        # One brace alone would join those of an action behind it.
        go: dict[str, str] = {key: value.replace("{", '{{ "{" }}') for key, value in vars(self).items()}
        return (
            "{{ if .System }}" + go["before_system"] + "{{ .System }}" + go["after_system"] + "{{ else }}"
            + go["without_system"] + "{{ end }}{{ range $i, $message := .Messages }}"
            '{{ if eq $message.Role "user" }}' + go["before_user"] + "{{ $message.Content }}"
            "{{ if eq (len (slice $.Messages $i)) 1 }}" + go["to_answer"] + "{{ end }}"
            '{{ else if eq $message.Role "assistant" }}' + go["before_answer"] + "{{ $message.Content }}"
            + go["after_answer"] + "{{ end }}{{ end }}"
        )  # fmt: skip


def modelfile(tokenizer: PreTrainedTokenizerFast, file: str, ends: Sequence[int], *, begins: bool) -> str:
    """The Modelfile for the GGUF `file` beside it, whose answers end with the tokens `ends`.

    `begins` says whether the begin token is put before every text, so that the template must not write it.
    """
    lines = [f"FROM ./{file}"]
    around = around_messages(tokenizer, begins=begins)
    if around and (template := _quoted(around.go_template())):
        lines.append(f"TEMPLATE {template}")
    else:
        lines.append("# This chat template cannot be written in Ollama's language; give it one with TEMPLATE.")
    for token in tokenizer.convert_ids_to_tokens(list(ends)):
        stop = _quoted(token)
        lines.append(f"PARAMETER stop {stop}" if stop else f"# Answers end with {json.dumps(token)}, too.")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str | None:
    """A value as Ollama's parser takes it: between three quotes, as it is, without escapes.

    None where it would be cut at quotes in it, or where characters in it would be dropped: the parser keeps printable
    ones, tabs and line breaks.
    """
    is_kept = all(character.isprintable() or character in "\t\n\r" for character in text)
    return f'"""{text}"""' if is_kept and '"""' not in text else None


def around_messages(tokenizer: PreTrainedTokenizerFast, *, begins: bool) -> Around | None:
    """What the tokenizer's chat template writes around messages; None where it does more than that."""
    messages = [{"role": role, "content": content} for role, content in (("system", SYSTEM), *TURNS)]
    skipped = str(tokenizer.bos_token) if begins else ""
    try:
        whole = render(tokenizer, messages[:4], (), to_answer=True).removeprefix(skipped)
        bare = render(tokenizer, messages[1:2], (), to_answer=True).removeprefix(skipped)
    except RenderingError:
        return None
    before_system, _, rest = whole.partition(SYSTEM)
    between, _, rest = rest.partition(FIRST)
    before_answer, _, rest = rest.partition(ANSWER)
    behind_answer, _, to_answer = rest.partition(SECOND)
    start = bare.partition(FIRST)[0]
    before_user = _common_end(between, behind_answer, start)
    after_system, after_answer, without_system = (
        text.removesuffix(before_user) for text in (between, behind_answer, start)
    )
    around = Around(before_system, after_system, without_system, before_user, before_answer, after_answer, to_answer)
    for conversation in (messages[:2], messages[1:2], messages[1:4], messages[:4], messages[1:], messages):
        try:
            if render(tokenizer, conversation, (), to_answer=True).removeprefix(skipped) != around.text(conversation):
                return None
        except RenderingError:
            return None
    return around


def _common_end(first: str, *others: str) -> str:
    """The longest text that all the texts end with."""
    ends = (first[place:] for place in range(len(first) + 1))
    return next(end for end in ends if all(text.endswith(end) for text in others))
