"""Answers of a chat model: its chat template, its end tokens, greedy answers to a list of prompts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from lib.chat.spans import prompt_ids
from lib.core.errors import UserError

PROMPTS_AT_ONCE = 16

Message = dict[str, str]


@dataclass(frozen=True)
class Continuation:
    """What a model wrote; `ended` tells whether it stopped by itself, not at the longest length."""

    text: str
    ended: bool


@dataclass(frozen=True)
class Answer:
    """What a model wrote to `prompt`; `ended` tells whether it stopped by itself, not at the longest length."""

    prompt: str
    answer: str
    ended: bool


def chat_ids(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> list[int]:
    """Token ids of a conversation up to where the model's answer begins.

    Control tokens that someone typed into a message count as plain text.
    """
    if tokenizer.chat_template is None:
        raise UserError("the tokenizer has no chat template; take a base model with chat_template.jinja")
    return prompt_ids(tokenizer, messages)


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Ids of the tokens that end an answer, by the model's generation settings and the tokenizer."""
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    found = sorted({int(i) for i in [*ids, tokenizer.eos_token_id] if i is not None})
    if not found:
        raise UserError("neither the model nor its tokenizer names an end-of-sequence token")
    return found


def greedy_answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], max_new_tokens: int
) -> list[Answer]:
    """The most likely continuation, token by token, of each prompt as a conversation of its own."""
    conversations = [chat_ids(tokenizer, [{"role": "user", "content": prompt}]) for prompt in prompts]
    found = greedy_continuations(model, tokenizer, conversations, max_new_tokens)
    return [Answer(prompt, one.text, one.ended) for prompt, one in zip(prompts, found, strict=True)]


def greedy_continuations(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> list[Continuation]:
    """The most likely continuation, token by token, of each prompt, given as token ids; computed in groups."""
    model.eval()
    ends = end_tokens(model, tokenizer)
    settings = GenerationConfig(max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=ends, pad_token_id=ends[0])
    found: list[Continuation] = []
    for start in range(0, len(prompts), PROMPTS_AT_ONCE):
        ids, attention = _padded_left(prompts[start : start + PROMPTS_AT_ONCE], ends[0])
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=attention.to(model.device),
                generation_config=settings,
            )
        for row in output[:, ids.shape[1] :].tolist():
            length = next((i for i, token in enumerate(row) if token in ends), len(row))
            # An answer that was cut off may stop inside a character, which decodes as U+FFFD.
            text = tokenizer.decode(row[:length], skip_special_tokens=True).rstrip("\ufffd").strip()
            found.append(Continuation(text, ended=length < len(row)))
    return found


def _padded_left(rows: Sequence[Sequence[int]], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, both (rows, longest), with the text at the right end, where generation goes on."""
    longest = max(map(len, rows))
    ids = torch.tensor([[padding] * (longest - len(row)) + [*row] for row in rows])
    attention = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, attention
