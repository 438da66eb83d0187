"""Conversations as training examples: rendered, encoded, with labels on what the assistant says, and of a length."""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from lib.chat.spans import Span, control_tokens, conversation_spans, encode_spans, find_control_token
from lib.chat.templates import input_joint
from lib.settings.sft import InstructionSettings
from lib.sft.conversations import Conversation
from lib.tokens.rows import IGNORED_LABEL


@dataclass(frozen=True)
class Example:
    """A conversation as the model reads it."""

    spans: list[Span]
    input_ids: list[int]
    labels: list[int]
    """As `input_ids` where the assistant speaks, end tokens included; IGNORED_LABEL elsewhere."""


@dataclass(frozen=True)
class Fitted:
    """What became of a conversation."""

    example: Example | None
    """None when it was left out."""
    left_out: tuple[str, str] | None = None
    """Why it was left out, or some of its turns were: a name for counts, and a sentence."""


class ExampleMaker:
    """Makes examples with a tokenizer that carries its chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, settings: InstructionSettings) -> None:
        self._tokenizer = tokenizer
        self._settings = settings
        self._control_tokens = control_tokens(tokenizer)
        self._input_joint = input_joint(settings.template)

    def __call__(self, conversation: Conversation) -> Fitted:
        """The example of at most `max_length` tokens that the settings make of a conversation.

        Raises UserError when the chat template cannot render it.
        """
        messages = conversation.messages(self._input_joint)
        if token := find_control_token(self._control_tokens, "\n".join(message["content"] for message in messages)):
            return Fitted(None, ("control_token", f"holds {token}, which only the chat template may write"))
        example = self._example(conversation)
        length = len(example.input_ids)
        limit = self._settings.max_length
        turns = len(conversation.turns)
        while len(example.input_ids) > limit:
            shorter = conversation.without_oldest() if self._settings.too_long == "drop_turns" else None
            if shorter is None:
                return Fitted(None, ("too_long", f"too long: {length} tokens"))
            conversation, example = shorter, self._example(shorter)
        if len(conversation.turns) < turns:
            dropped = turns - len(conversation.turns)
            return Fitted(example, ("shortened", f"too long: {length} tokens; {dropped} of {turns} turns dropped"))
        return Fitted(example)

    def _example(self, conversation: Conversation) -> Example:
        spans = conversation_spans(self._tokenizer, conversation.messages(self._input_joint), conversation.tools)
        input_ids: list[int] = []
        labels: list[int] = []
        for span, ids in zip(spans, encode_spans(self._tokenizer, [span.text for span in spans]), strict=True):
            input_ids += ids
            labels += ids if span.is_trained else [IGNORED_LABEL] * len(ids)
        return Example(spans, input_ids, labels)
