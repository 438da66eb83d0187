"""What may be asked: OpenAI's chat completions, as far as they are answered here.

Whatever a request asks for that is not done here is refused, never left out without a word.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lib.core.errors import UserError

LONGEST_BODY = 1 << 20
"""Maximum number of bytes of a request."""
WITHOUT_EFFECT = ("user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key")
"""Keys that change no answer."""
DEFAULTS: dict[str, Any] = {"n": 1, "logprobs": False, "tools": [], "presence_penalty": 0, "frequency_penalty": 0}
"""Keys that are taken with these values only."""


class Part(BaseModel):
    """A part of a message; pictures and sounds are refused."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One turn."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, value: Any) -> Any:
        return "".join(Part.model_validate(part).text for part in value) if isinstance(value, list) else value

    @field_validator("content")
    @classmethod
    def _encodable(cls, value: str) -> str:
        value.encode()  # half of a surrogate pair is no text
        return value


class StreamOptions(BaseModel):
    """What a stream holds beside the text."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool = False


class ChatRequest(BaseModel):
    """A conversation to go on with."""

    model_config = ConfigDict(extra="forbid")
    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions = Field(default_factory=StreamOptions)
    temperature: float = Field(default=0.7, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(default=0.9, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)

    @field_validator("messages")
    @classmethod
    def _ends_with_a_question(cls, value: list[ChatMessage]) -> list[ChatMessage]:
        if value[-1].role != "user":
            raise ValueError("the last message must be the user's")
        return value

    @property
    def longest_answer(self) -> int | None:
        """Maximum length of the answer in tokens, if the request gives one."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def turns(self) -> Sequence[dict[str, str]]:
        """The messages as chat templates take them."""
        return [message.model_dump() for message in self.messages]


def read_request(content: bytes) -> ChatRequest:
    """The request in `content`; UserError that names the first key that is wrong."""
    try:
        return ChatRequest.model_validate(_with_effect(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _with_effect(content: bytes) -> dict[str, Any]:
    """The keys of a request that change the answer."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the request is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise UserError("the request must be a JSON object")
    unset = {key for key, value in values.items() if value is None or DEFAULTS.get(key, object()) == value}
    return {key: value for key, value in values.items() if key not in unset and key not in WITHOUT_EFFECT}
