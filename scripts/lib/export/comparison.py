"""Does llama.cpp read text, and answer, as transformers does? Compared token by token."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from lib.chat.spans import encode_spans
from lib.core.errors import UserError
from lib.core.integrity import require_intact
from lib.corpus.storage.reader import Split, texts
from lib.export.llama_cpp import LlamaCpp
from lib.models.publishing import SAMPLE_TEXTS

SPLITS: tuple[Split, ...] = ("validation", "train")
LARGEST_GAP = 0.05
"""How far, in logits, a token of llama.cpp may lie behind transformers' first choice: rounding decides between such."""


@dataclass(frozen=True)
class Prompt:
    """A held-out conversation up to the last answer."""

    spans: Sequence[str]
    """Its text, in the spans in which it was trained."""

    @property
    def text(self) -> str:
        return "".join(self.spans)


@dataclass(frozen=True)
class Answers:
    """How far llama.cpp's answers are transformers'."""

    tokens: int
    same: int
    """Tokens that are transformers' first choice, too."""


def lines_of(corpus: Path, number: int) -> list[str]:
    """Lines of a corpus, at most `number` and as many of each source: held-out ones, then training text."""
    found: list[str] = []
    for split in SPLITS:
        sources = {source for source, _ in texts(corpus, split)}
        share = -(-(number - len(found)) // max(len(sources), 1))
        taken: Counter[str] = Counter()
        for source, text in texts(corpus, split):
            lines = list(islice(filter(str.strip, text.splitlines()), share - taken[source]))
            taken[source] += len(lines)
            found += lines
            if len(found) >= number:
                return found[:number]
    return found


def held_out_prompts(path: Path) -> Iterator[Prompt]:
    """The conversations of a validation.jsonl."""
    with require_intact(path).open(encoding="utf-8") as file:
        for line in file:
            spans = json.loads(line)["spans"]
            yield Prompt([span["text"] for span in spans[:-1]])


def check_tokens(
    llama: LlamaCpp, tokenizer: PreTrainedTokenizerFast, lines: Sequence[str], prompts: Sequence[Prompt]
) -> list[str]:
    """The sample texts that llama.cpp reads otherwise than transformers: unusual ones, for a warning.

    Raises UserError when it reads one of `lines` or `prompts` otherwise.
    """
    backend = tokenizer.backend_tokenizer
    for text in lines:
        _compare(text, llama.tokens(text, special=False), backend.encode(text, add_special_tokens=False).ids)
    for prompt in prompts:
        wanted = [token for ids in encode_spans(tokenizer, prompt.spans) for token in ids]
        _compare(prompt.text, llama.tokens(prompt.text, special=True), wanted)
    return [
        text
        for text in SAMPLE_TEXTS
        if llama.tokens(text, special=False) != backend.encode(text, add_special_tokens=False).ids
    ]


def compare_answers(llama: LlamaCpp, model: PreTrainedModel, prompts: Sequence[Sequence[int]], length: int) -> Answers:
    """Have llama.cpp go on from each of `prompts` (ids), greedily, for at most `length` tokens.

    Raises UserError when it takes a token that `model`, asked at the same place, finds less likely than another one by
    more than LARGEST_GAP.
    """
    tokens = same = 0
    for prompt in prompts:
        answer = torch.tensor(llama.answer(prompt, length))
        if not len(answer):
            raise UserError("llama.cpp answers with nothing; the file is not what it should be")
        ids = torch.cat([torch.tensor(prompt), answer])[None].to(model.device)
        with torch.inference_mode():
            logits = model(ids).logits[0, len(prompt) - 1 : -1].float().cpu()
        gaps = logits.max(-1).values - logits.gather(1, answer[:, None])[:, 0]
        if gaps.max() > LARGEST_GAP:
            place = int(gaps.argmax())
            raise UserError(
                f"llama.cpp answers otherwise than transformers: its token {place + 1} is {gaps.max():.2f} less likely "
                f"(in logits) than transformers' own; the most that rounding may make of it is {LARGEST_GAP}"
            )
        tokens += len(answer)
        same += int((logits.argmax(-1) == answer).sum())
    return Answers(tokens, same)


def _compare(text: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    if list(found) != list(wanted):
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        raise UserError(
            f"llama.cpp reads {shown!r} otherwise than transformers ({len(found)} tokens, not {len(wanted)}); "
            "serve the safetensors instead"
        )
