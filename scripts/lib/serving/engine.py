"""A model that answers several conversations at once, each in a thread of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from transformers import (
    AsyncTextIteratorStreamer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    StoppingCriteria,
    StoppingCriteriaList,
)

from lib.chat.answers import chat_ids, end_tokens
from lib.core.errors import UserError
from lib.serving.requests import ChatRequest

AT_ONCE = 8
"""Answers that are made at the same time; further ones wait."""
DEFAULT_ANSWER = 512
REPETITION_PENALTY = 1.1


class _Stop(StoppingCriteria):
    """Ends an answer that nobody waits for."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **options: object) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self.event.is_set(), dtype=torch.bool, device=input_ids.device)


class _Counted(AsyncTextIteratorStreamer):
    """Text as it is made, the number of its tokens and the last one."""

    tokens = -1  # the prompt is put first
    last = -1

    def put(self, value: torch.Tensor) -> None:
        self.tokens += 1
        self.last = int(value.flatten()[-1])
        super().put(value)


@dataclass
class Engine:
    """A model and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE))

    def answer(self, request: ChatRequest) -> "Answer":
        """The answer to a request, yet to be made.

        Raises UserError for a conversation that the chat template refuses or that does not fit into the context.
        """
        ids = chat_ids(self.tokenizer, request.turns)
        context = int(self.model.config.get_text_config().max_position_embeddings)
        room, wanted = context - len(ids), request.longest_answer
        if room < (wanted or 1):
            raise UserError(
                f"messages: {len(ids):,} tokens and an answer of {wanted or 1:,} do not fit into the context of the "
                f"model, {context:,} tokens"
            )
        ends = end_tokens(self.model, self.tokenizer)
        sampling = {"temperature": request.temperature, "top_p": request.top_p} if request.temperature > 0 else {}
        settings = GenerationConfig(
            max_new_tokens=wanted or min(DEFAULT_ANSWER, room),
            do_sample=request.temperature > 0,
            repetition_penalty=REPETITION_PENALTY,
            eos_token_id=ends,
            pad_token_id=ends[0],
            **sampling,
        )
        return Answer(self, ids, settings)


@dataclass
class Answer:
    """An answer; its length, and whether it is cut, are known once its text has been read to the end."""

    engine: Engine
    prompt: list[int]
    settings: GenerationConfig
    tokens: int = 0
    is_cut: bool = False
    """Whether it ended because it became too long."""

    async def text(self) -> AsyncIterator[str]:
        """The text, piece by piece. Who stops reading stops the model, too."""
        streamer, stop = _Counted(self.engine.tokenizer, skip_prompt=True, skip_special_tokens=True), _Stop()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self.engine.workers, self._generate, streamer, stop)
        try:
            async for piece in streamer:
                if piece:
                    yield piece
            await work
        finally:
            stop.event.set()
        self.tokens = streamer.tokens
        self.is_cut = streamer.last not in self.settings.eos_token_id

    def _generate(self, streamer: _Counted, stop: _Stop) -> None:
        prompt = torch.tensor([self.prompt], device=self.engine.model.device)
        try:
            with torch.inference_mode():
                self.engine.model.generate(
                    input_ids=prompt,
                    attention_mask=torch.ones_like(prompt),
                    generation_config=self.settings,
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([stop]),
                )
        except BaseException:
            streamer.end()  # whoever reads must not wait for ever; the error reaches them through `work`
            raise
