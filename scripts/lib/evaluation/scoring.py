"""How well a model predicts text: bits per character and per byte, which any two vocabularies can be compared by.

Loss per token depends on how long the tokens are. Here the negative log-likelihoods of a text's tokens are added up and
divided by the text's characters (or UTF-8 bytes), so that every model is measured in the same unit on the same text.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from lib.models.compute import Precision, arithmetic

LOGIT_BYTES = 256 * 2**20  # most memory for scores over the vocabulary at once, counted in fp32
BATCH_TOKENS = 4_096  # most tokens in one forward pass, padding included
LABEL_IGNORED = -100  # what PyTorch's cross entropy skips


@dataclass(frozen=True)
class TokenSequence:
    """Token ids of which the first `prefix` (at least 1) are given and the others are predicted."""

    ids: list[int]
    prefix: int

    @property
    def predicted(self) -> int:
        return len(self.ids) - self.prefix


@dataclass(frozen=True)
class Score:
    """What was measured on some text; scores of several texts add up."""

    nats: float = 0.0
    characters: int = 0
    bytes: int = 0
    tokens: int = 0

    @classmethod
    def of(cls, text: str, nats: float, tokens: int) -> "Score":
        return cls(nats, len(text), len(text.encode()), tokens)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.nats + other.nats,
            self.characters + other.characters,
            self.bytes + other.bytes,
            self.tokens + other.tokens,
        )

    def summary(self) -> dict[str, float | int]:
        """The published figures, rounded to the digits that repeat from run to run."""
        bits = self.nats / math.log(2)
        return {
            "bits_per_character": round(bits / max(self.characters, 1), 4),
            "bits_per_byte": round(bits / max(self.bytes, 1), 4),
            "characters_per_token": round(self.characters / max(self.tokens, 1), 4),
            "characters": self.characters,
            "bytes": self.bytes,
            "tokens": self.tokens,
        }


def total(scores: Iterable[Score]) -> Score:
    """Sum of `scores`."""
    return sum(scores, Score())


def negative_log_likelihoods(
    model: PreTrainedModel,
    sequences: Sequence[TokenSequence],
    precision: Precision = "fp32",
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[float]:
    """For each sequence, the nats that the model needs for its predicted tokens, given all tokens before each.

    Sequences of similar length go through the model together, padded on the right. Scores over the vocabulary are
    computed for predicted positions only, and for at most `LOGIT_BYTES` at a time: a sequence that needs more alone is
    taken in stretches, each going on from the keys and values of the one before. `on_progress` hears after each
    batch how many sequences are done.
    """
    model.eval()
    vocabulary = model.config.get_text_config().vocab_size
    most_predicted = max(LOGIT_BYTES // (4 * vocabulary), 1)
    nats = [0.0] * len(sequences)
    done = 0
    with torch.inference_mode(), arithmetic(precision, model.device):
        for batch in batches_by_length(sequences, most_predicted):
            for index, value in zip(batch, _score(model, [sequences[i] for i in batch], most_predicted), strict=True):
                nats[index] = value
            done += len(batch)
            on_progress(done)
    return nats


def batches_by_length(sequences: Sequence[TokenSequence], most_predicted: int) -> Iterator[list[int]]:
    """Indices of the sequences in groups of similar length, longest first, so that memory is short at once or never.

    A group stays within `BATCH_TOKENS` padded tokens and `most_predicted` predicted ones unless it is one sequence.
    """
    batch: list[int] = []
    predicted = 0
    for index in sorted(range(len(sequences)), key=lambda i: -len(sequences[i].ids)):
        sequence = sequences[index]
        longest = len(sequences[batch[0]].ids) if batch else 0
        if batch and (predicted + sequence.predicted > most_predicted or (len(batch) + 1) * longest > BATCH_TOKENS):
            yield batch
            batch, predicted = [], 0
        batch.append(index)
        predicted += sequence.predicted
    if batch:
        yield batch


def _score(model: PreTrainedModel, sequences: list[TokenSequence], most_predicted: int) -> list[float]:
    """Nats of each of the `sequences` (longest first), in one pass, or in stretches when there is only one."""
    length = len(sequences[0].ids)
    ids = torch.zeros(len(sequences), length, dtype=torch.long)
    labels = torch.full_like(ids, LABEL_IGNORED)  # labels[:, t] is what position t predicts
    attention = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        tokens = torch.tensor(sequence.ids)
        ids[row, : len(tokens)] = tokens
        attention[row, : len(tokens)] = 1
        labels[row, sequence.prefix - 1 : len(tokens) - 1] = tokens[sequence.prefix :]
    ids, labels, attention = (tensor.to(model.device) for tensor in (ids, labels, attention))
    stretch = length if len(sequences) > 1 else min(length, most_predicted)
    nats = torch.zeros(len(sequences), dtype=torch.float64)
    cache = None
    for start in range(0, length - 1, stretch):
        end = min(start + stretch, length - 1)
        predicts = labels[:, start:end] != LABEL_IGNORED
        output = model(
            input_ids=ids[:, start:end],
            attention_mask=attention[:, :end],
            cache=cache,
            use_cache=end < length - 1,
            logits_to_keep=predicts,
        )
        cache = output.cache
        losses = cross_entropy(output.logits.float(), labels[:, start:end][predicts], reduction="none")
        rows = predicts.nonzero()[:, 0].cpu()
        nats.index_add_(0, rows, losses.double().cpu())
    return [float(value) for value in nats]
