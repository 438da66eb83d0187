"""One model as it is measured: how it is loaded; held-out text, held-out responses, any continuation of a prompt."""

import datetime
import heapq
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from lib.chat.answers import Answer, Continuation, end_tokens, greedy_answers, greedy_continuations
from lib.chat.spans import encode_spans
from lib.chat.templates import fix_date
from lib.core.integrity import require_intact
from lib.core.outputs import read_json
from lib.core.program import say
from lib.evaluation.scoring import Score, TokenSequence, negative_log_likelihoods
from lib.models.compute import Precision, arithmetic
from lib.models.loading import check_sizes, load_model, load_tokenizer
from lib.settings.sft import InstructionSettings
from lib.text.hashes import checksum
from lib.text.sample import Piece
from lib.training.adapters import trained_model

REPORT_EVERY = 20  # sequences between two lines of progress


@dataclass(frozen=True)
class HeldOutExample:
    """A conversation as text."""

    id: str
    prompt: tuple[str, ...]
    """What stands before the last answer, in the spans that it was trained in."""
    response: str
    """The last answer, ending with the end token."""
    category: str
    is_short: bool = False
    """Whether the data say that the answer is right only when it is the same."""


@dataclass(frozen=True)
class Scorer:
    """A model, its tokenizer and how to compute with them."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    end: str
    """Token that ends a response."""
    before: Sequence[int]
    """Tokens that begin a text, which a model has always seen there."""
    precision: Precision

    def text(self, pieces: Sequence[Piece], what: str) -> list[Score]:
        """A score for each piece, every token of which is predicted, as at the begin of a document."""
        sequences = [TokenSequence([*self.before, *self._encode(piece.text)], len(self.before)) for piece in pieces]
        nats = self._measure(sequences, what)
        return [
            Score.of(piece.text, value, sequence.predicted)
            for piece, value, sequence in zip(pieces, nats, sequences, strict=True)
        ]

    def responses(self, examples: Sequence[HeldOutExample]) -> list[Score]:
        """A score for each response given its prompt: the end token is predicted too, but is no text of its own."""
        sequences = []
        for example in examples:
            *before, response = encode_spans(self.tokenizer, [*example.prompt, example.response])
            prompt = [token for span in before for token in span]
            sequences.append(TokenSequence(prompt + response, len(prompt)))
        nats = self._measure(sequences, "held-out responses")
        return [
            Score.of(example.response.removesuffix(self.end), value, sequence.predicted)
            for example, value, sequence in zip(examples, nats, sequences, strict=True)
        ]

    def continuations(self, texts: Sequence[tuple[str, str]], what: str) -> list[float]:
        """Nats of the second text of each pair after the first one, at the begin of a document.

        The two are encoded apart, so that every continuation of a text is read after the same tokens.
        """
        sequences = []
        for given, continuation in texts:
            prefix = [*self.before, *self._encode(given)]
            sequences.append(TokenSequence([*prefix, *self._encode(continuation)], len(prefix)))
        return self._measure(sequences, what)

    def answers(self, examples: Sequence[HeldOutExample], max_new_tokens: int) -> list[Continuation]:
        """The greedy answer to each example's prompt, encoded as it was for training."""
        prompts = [
            [token for span in encode_spans(self.tokenizer, example.prompt) for token in span] for example in examples
        ]
        with arithmetic(self.precision, self.model.device):
            return greedy_continuations(self.model, self.tokenizer, prompts, max_new_tokens)

    def answers_to(self, prompts: Sequence[str], max_new_tokens: int) -> list[Answer]:
        """The greedy answer to each prompt as a conversation of its own."""
        with arithmetic(self.precision, self.model.device):
            return greedy_answers(self.model, self.tokenizer, prompts, max_new_tokens)

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _measure(self, sequences: Sequence[TokenSequence], what: str) -> list[float]:
        reported = 0

        def report(done: int) -> None:
            nonlocal reported
            if done - reported >= REPORT_EVERY or done == len(sequences):
                say(f"evaluation: {self.name}: {done} of {len(sequences)} {what} scored")
                reported = done

        return negative_log_likelihoods(self.model, sequences, self.precision, report)


def read_examples(path: Path, most: int) -> list[HeldOutExample]:
    """Held-out examples: all, or the `most` with the lowest checksums, which are the same for every model."""
    with require_intact(path).open(encoding="utf-8") as file:
        records = (json.loads(line) for line in file)
        examples = (_example(record) for record in records)
        return heapq.nsmallest(
            most, examples, key=lambda one: (checksum("".join(one.prompt) + one.response), one.prompt)
        )


def _example(record: Mapping[str, Any]) -> HeldOutExample:
    *before, response = (span["text"] for span in record["spans"])
    return HeldOutExample(
        record["id"], tuple(before), response, record["category"], bool(record.get("short_answer", False))
    )


def load_evaluated(
    model: Path, adapter: Path | None, sft_data: Path | None, tokenizer: Path | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """The model with its tokenizer, and the tokenizer that has the chat template.

    All arguments are manifests: of the model, of an adapter to merge into it, of the instruction data and, in a run
    without any, of the run's tokenizer.
    """
    assert sft_data or tokenizer
    chat = load_tokenizer(sft_data.parent / "tokenizer" if sft_data else tokenizer.parent)  # type: ignore[union-attr]
    settings = read_json(sft_data)["settings"] if sft_data else InstructionSettings().model_dump()
    date = datetime.date.fromisoformat(str(settings["date"]))
    return *load(model.parent, adapter.parent if adapter else None, chat, date), chat


def load(
    directory: Path, adapter: Path | None, chat: PreTrainedTokenizerFast, date: datetime.date
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model with its tokenizer; an adapter directory is merged into it.

    `chat` is the tokenizer of the instruction data or, in a run without any, the run's. Its template is what a model
    with an adapter was trained with, and what is used where the base model brought none; a template of its own writes
    `date` for today's.
    """
    model = trained_model(directory, adapter) if adapter else load_model(directory)
    tokenizer = load_tokenizer(directory)
    check_sizes(model, tokenizer)
    if adapter or not tokenizer.chat_template:
        tokenizer.chat_template = chat.chat_template
        model.generation_config.eos_token_id = end_tokens(model, chat)
    else:
        fix_date(tokenizer, date)
    return model, tokenizer
