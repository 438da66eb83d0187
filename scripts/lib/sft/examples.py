"""Conversations as training examples: rendered, encoded, with labels on what the assistant says, and of a length."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transformers import PreTrainedTokenizerFast

from lib.chat.known_templates import input_joint
from lib.chat.rendering import Rendering, RenderingError
from lib.chat.spans import Span, control_tokens, encode_spans, find_control_token, trained_spans, well_rendered
from lib.settings.sft import InstructionSettings
from lib.sft.conversations import Conversation
from lib.tokens.token_files import IGNORED_LABEL


@dataclass(frozen=True)
class Example:
    """What the model reads at once: a conversation, or one up to an answer."""

    spans: list[Span]
    input_ids: list[int]
    labels: list[int]
    """As `input_ids` where the assistant speaks, end tokens included; IGNORED_LABEL elsewhere."""


@dataclass(frozen=True)
class Fitted:
    """What became of a conversation."""

    examples: tuple[Example, ...] = ()
    """One for the whole, or one for each answer where the template renders earlier turns differently later on."""
    left_out: tuple[str, str] | None = None
    """Why it was left out, or some of it was: a name for counts, and a sentence."""

    @property
    def example(self) -> Example | None:
        """The first of the examples; None when the conversation was left out."""
        return self.examples[0] if self.examples else None


@dataclass(frozen=True)
class _Part:
    """An example, or None where it is too long; how long it was with all its turns, and how many of them it lost."""

    example: Example | None
    length: int
    turns: int
    dropped: int


class ExampleMaker:
    """Makes examples with a tokenizer that carries its chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, settings: InstructionSettings) -> None:
        self._tokenizer = tokenizer
        self._settings = settings
        self._control_tokens = control_tokens(tokenizer)
        self._input_joint = input_joint(settings.template)

    def __call__(self, conversation: Conversation) -> Fitted:
        """The examples of at most `max_length` tokens that the settings make of a conversation."""
        said = json.dumps([conversation.messages(self._input_joint), conversation.tools], ensure_ascii=False)
        if token := find_control_token(self._control_tokens, said):
            return Fitted(left_out=("control_token", f"holds {token}, which only the chat template may write"))
        places = _trained_places(conversation)
        if not places:
            return Fitted(left_out=("untrained", "no answer in it is to be trained"))
        try:
            rendering = self._rendering(_up_to(conversation, places[-1]))
            parts = self._parts(_up_to(conversation, places[-1]), rendering, places)
        except RenderingError as error:
            return Fitted(left_out=("template", str(error)))
        return Fitted(tuple(part.example for part in parts if part.example), _left_out(parts))

    def _parts(self, conversation: Conversation, rendering: Rendering, places: Sequence[int]) -> list[_Part]:
        if len(places) > 1 and not rendering.keeps_history(places[-1]):
            return [part for place in places for part in self._parts(_up_to(conversation, place), rendering, [place])]
        whole = shorter = conversation
        example = self._example(rendering, places)
        length = len(example.input_ids)
        while len(example.input_ids) > self._settings.max_length:
            found = shorter.without_oldest() if self._settings.too_long == "drop_turns" else None
            if found is None:
                return [_Part(None, length, len(whole.turns), 0)]
            shorter = found
            example = self._example(self._rendering(shorter), _trained_places(shorter)[-len(places) :])
        return [_Part(example, length, len(whole.turns), len(whole.turns) - len(shorter.turns))]

    def _rendering(self, conversation: Conversation) -> Rendering:
        messages = conversation.messages(self._input_joint)
        return well_rendered(self._tokenizer, messages, conversation.tools, _trained_places(conversation))

    def _example(self, rendering: Rendering, places: Sequence[int]) -> Example:
        spans = trained_spans(rendering, places)
        input_ids: list[int] = []
        labels: list[int] = []
        for span, ids in zip(spans, encode_spans(self._tokenizer, [span.text for span in spans]), strict=True):
            input_ids += ids
            labels += ids if span.is_trained else [IGNORED_LABEL] * len(ids)
        return Example(spans, input_ids, labels)


def _trained_places(conversation: Conversation) -> list[int]:
    return [place for place, turn in enumerate(conversation.turns) if turn.role == "assistant" and turn.is_trained]


def _up_to(conversation: Conversation, place: int) -> Conversation:
    return replace(conversation, turns=conversation.turns[: place + 1])


def _left_out(parts: Sequence[_Part]) -> tuple[str, str] | None:
    """Why parts of a conversation were left out, if any were."""
    long = [part for part in parts if not part.example]
    short = [part for part in parts if part.example and part.dropped]
    if not long and not short:
        return None
    said = f"too long: {max(part.length for part in [*long, *short])} tokens"
    if len(long) == len(parts):
        return "too_long", said
    if long:
        return "shortened", f"{said}; {len(long)} of {len(parts)} answers left out"
    return "shortened", f"{said}; {short[0].dropped} of {short[0].turns} turns dropped"
