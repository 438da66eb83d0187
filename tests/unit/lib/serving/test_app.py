"""The server, asked by OpenAI's client and by a browser: answers, streams, and a clear no."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
import uvicorn
from browser import CHROMIUM, browser

from lib.models.loading import load_model, load_tokenizer
from lib.serving.app import make_app
from lib.serving.engine import Engine
from tiny_model import make_tiny_model

QUESTION: list[Any] = [{"role": "user", "content": "谁住在山里？"}]
PARTS = [{"type": "text", "text": "谁住在"}, {"type": "text", "text": "山里？"}]
IN_PARTS: list[Any] = [{"role": "user", "content": PARTS}]
PICTURE = {"type": "image_url", "image_url": {}}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with two models, on a port of its own."""
    engines = {}
    for seed, name in enumerate(("final", "base")):
        directory = tmp_path_factory.mktemp(name)
        make_tiny_model(directory, tied=False, seed=seed)
        engines[name] = Engine(load_model(directory).eval(), load_tokenizer(directory))
    server = uvicorn.Server(uvicorn.Config(make_app(engines), port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(address: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


def test_an_answer_is_the_same_as_a_whole_and_as_a_stream(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["final", "base"]
    asked: dict[str, Any] = {"model": "final", "temperature": 0, "max_tokens": 12}
    whole = client.chat.completions.create(messages=QUESTION, **asked)
    assert client.chat.completions.create(messages=IN_PARTS, **asked).choices[0].message == whole.choices[0].message
    events = list(
        client.chat.completions.create(messages=QUESTION, stream=True, stream_options={"include_usage": True}, **asked)
    )
    text = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert text.strip() == whole.choices[0].message.content
    assert events[-1].usage == whole.usage
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 12
    assert events[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    other = client.chat.completions.create(messages=QUESTION, **asked | {"model": "base"})
    assert other.choices[0].message != whole.choices[0].message


def test_eight_clients_are_answered_at_once(address: str) -> None:
    async def ask(client: openai.AsyncOpenAI) -> tuple[str, float, float]:
        stream = await client.chat.completions.create(
            model="final", messages=QUESTION, temperature=0, max_tokens=60, stream=True
        )
        pieces, times = [], []
        async for event in stream:
            pieces.append(event.choices[0].delta.content or "")
            times.append(time.monotonic())
        return "".join(pieces), times[0], times[-1]

    async def ask_all() -> list[tuple[str, float, float]]:
        client = openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        return await asyncio.gather(*[ask(client) for _ in range(8)])

    answers = asyncio.run(ask_all())
    assert len({text for text, _, _ in answers}) == 1
    assert max(first for _, first, _ in answers) < min(last for _, _, last in answers)  # nobody waits for another's end


@pytest.mark.parametrize(
    ("wrong", "status", "message"),
    [
        ({"model": "gpt2"}, 404, "'gpt2' is not one of final, base"),
        ({"messages": []}, 400, "messages: "),
        ({"messages": [{"role": "user", "content": "长" * 600}]}, 400, "do not fit into the context of the model"),
        ({"max_tokens": 10_000}, 400, "do not fit into the context of the model"),
        ({"messages": [{"role": "tool", "content": "1", "tool_call_id": "1"}]}, 400, r"messages\.0\.role"),
        ({"messages": [{"role": "assistant", "content": "1"}]}, 400, "the last message must be the user's"),
        (
            {"messages": [{"role": "user", "content": [PICTURE]}]},
            400,
            "messages.0.content",
        ),
        ({"temperature": 3}, 400, "temperature"),
        ({"n": 2}, 400, "n: "),
        ({"stop": ["。"]}, 400, "stop: "),
    ],
)
def test_what_cannot_be_answered_is_refused(
    client: openai.OpenAI, wrong: dict[str, Any], status: int, message: str
) -> None:
    with pytest.raises(openai.APIStatusError, match=message) as refused:
        client.chat.completions.create(**{"model": "final", "messages": QUESTION} | wrong)
    assert refused.value.status_code == status


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b'{"model": "final", "messages": [{"role": "user", "content": "\\ud800"}]}', {}, 400),
        (b"\xff", {}, 400),
        (b"x" * 1_100_000, {}, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Host": "elsewhere.example"}, 400),
    ],
)
def test_malformed_requests_are_refused(address: str, body: bytes, headers: dict[str, str], status: int) -> None:
    sent = {"Content-Type": "application/json"} | headers
    assert requests.post(f"{address}/v1/chat/completions", body, headers=sent, timeout=60).status_code == status


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_the_chat_page_asks_both_models(address: str, tmp_path: Path) -> None:
    texts = "[...document.querySelectorAll('li.{}')].map((item) => item.textContent)"
    with browser(tmp_path) as page:
        page.open(address)
        page.wait("document.querySelectorAll('section').length === 2")
        page.value("document.querySelector('textarea').focus()")
        page.call("Input.imeSetComposition", text="shan", selectionStart=4, selectionEnd=4)
        page.press("Enter", 13)
        assert page.value("document.querySelectorAll('li').length") == 0  # Enter takes the candidate
        page.call("Input.insertText", text="谁<img src=x onerror=alert(1)>\n住在山里？")
        page.press("Enter", 13)
        page.wait("document.querySelectorAll('li.assistant').length === 2 && !document.querySelector('.pending')")
        asked, answers = page.value(texts.format("user")), page.value(texts.format("assistant"))
        assert asked == ["谁<img src=x onerror=alert(1)>\n住在山里？"] * 2
        assert page.value("document.querySelectorAll('li img').length") == 0
        assert not page.value("document.querySelector('li.failed')")

        page.open(address, width=420)  # what was said is still there
        page.wait("document.querySelectorAll('li').length === 4")
        assert page.value(texts.format("assistant")) == answers
        assert page.value("document.documentElement.scrollWidth") == 420
        page.value("document.querySelector('#new').click()")
        assert page.value("document.querySelectorAll('li').length") == 0
