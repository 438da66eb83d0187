"""The HTTP interface: models, chat completions as a whole or as a stream, and the chat page.

Only the models that it was given can be asked for; nothing is ever loaded because a request names it. Errors are
OpenAI's: status 4xx and one line that says what is wrong.
"""

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lib.core.errors import UserError
from lib.serving.engine import Answer, Engine
from lib.serving.requests import LONGEST_BODY, ChatRequest, read_request

PAGE = Path(__file__).resolve().parents[3] / "templates" / "chat.html"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class RequestError(Exception):
    """A request that is refused with `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def make_app(engines: Mapping[str, Engine], hosts: Sequence[str] = LOOPBACK) -> Starlette:
    """The application for models by name, the one to ask first before the others.

    `hosts` are the names under which it may be asked: a page of another site that has its name point here is refused.
    """

    async def models(request: Request) -> Response:
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "graftline"} for name in engines]
        return JSONResponse({"object": "list", "data": entries})

    async def chat(request: Request) -> Response:
        try:
            asked = read_request(await _body(request))
            if asked.model not in engines:
                raise RequestError(404, f"model: {asked.model!r} is not one of {', '.join(engines)}")
            answer = engines[asked.model].answer(asked)
        except RequestError as error:
            return _error(error.status, str(error))
        except UserError as error:
            return _error(400, str(error))
        if asked.stream:
            return StreamingResponse(_events(asked, answer), media_type="text/event-stream")
        text = "".join([piece async for piece in answer.text()])
        message = {"role": "assistant", "content": text.strip()}
        choice = {"index": 0, "message": message, "finish_reason": _reason(answer)}
        return JSONResponse(_head(asked, "chat.completion") | {"choices": [choice], "usage": _usage(answer)})

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _policy()})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def refused(request: Request, error: Exception) -> Response:
        status = int(getattr(error, "status_code", 500))
        return _error(status, str(getattr(error, "detail", "the server failed; its terminal says why")))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/health", health),
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
        exception_handlers={404: refused, 405: refused, 500: refused},
    )


async def _body(request: Request) -> bytes:
    """The content of a request; RequestError when it is not JSON by its header, or too long."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RequestError(415, "send JSON, with Content-Type: application/json")
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LONGEST_BODY:
            raise RequestError(413, f"the request is longer than {LONGEST_BODY:,} bytes")
    return bytes(content)


async def _events(asked: ChatRequest, answer: Answer) -> AsyncIterator[str]:
    head = _head(asked, "chat.completion.chunk")

    def event(delta: Mapping[str, str], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return f"data: {json.dumps(head | {'choices': [choice]}, ensure_ascii=False)}\n\n"

    yield event({"role": "assistant", "content": ""})
    async for piece in answer.text():
        yield event({"content": piece})
    yield event({}, _reason(answer))
    if asked.stream_options.include_usage:
        yield f"data: {json.dumps(head | {'choices': [], 'usage': _usage(answer)})}\n\n"
    yield "data: [DONE]\n\n"


def _head(asked: ChatRequest, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": asked.model}


def _reason(answer: Answer) -> str:
    return "length" if answer.is_cut else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    total = len(answer.prompt) + answer.tokens
    return {"prompt_tokens": len(answer.prompt), "completion_tokens": answer.tokens, "total_tokens": total}


def _error(status: int, message: str) -> JSONResponse:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": None}}, status)


def _policy() -> str:
    """The page's own style and script run, and nothing else; it talks to this server alone."""
    page = PAGE.read_text(encoding="utf-8")
    allowed = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"
            for part in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        )
        for tag in ("style", "script")
    }
    return (
        f"default-src 'none'; style-src {allowed['style']}; script-src {allowed['script']}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
