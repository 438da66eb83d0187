"""The terminal chat, driven through its standard input as a person would."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from chat import Chat, VisibleText

from lib.core.errors import UserError
from lib.core.program import visible
from lib.models.loading import load_model, load_tokenizer
from tiny_model import make_tiny_model

READY = b"\x1b[?2004h"
"""What a line editor sends when it waits for input: that pasted text be bracketed."""
PROGRAM = Path(__file__).parents[2] / "scripts" / "chat.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("chat") / "model"
    make_tiny_model(directory)
    return directory


def start(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )


def test_a_conversation_from_standard_input_ends_with_it(model: Path) -> None:
    done = start("--model", str(model), "--max-new-tokens", "5", "--seed", "1", stdin="你好\n\n/reset\n/what\nhi\n")
    assert done.returncode == 0, done.stderr
    assert "(forgotten)" in done.stdout
    assert done.stdout.count("/quit ends it") == 2
    assert "Traceback" not in done.stderr


def test_a_missing_model_is_one_clear_line(tmp_path: Path) -> None:
    done = start("--model", str(tmp_path / "nothing"), "--prompt", "hi")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "holds no model yet" in done.stderr


def make_chat(model: Path, **options: float) -> Chat:
    return Chat(load_model(model), load_tokenizer(model), max_new_tokens=8, **options)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_answer_and_greedy_needs_none(model: Path) -> None:
    for temperature in (0.0, 5.0):
        answers = []
        for _ in range(2):
            torch.manual_seed(3)
            answers.append(make_chat(model, temperature=temperature).say("天亮了吗？"))
        assert answers[0] == answers[1]


def test_the_answer_is_streamed_and_remembered(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(1)
    chat = make_chat(model, temperature=5.0)
    answer = chat.say("hi")
    assert answer
    assert visible(answer) in capsys.readouterr().out
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"]
    chat.reset()
    assert chat.turns == []


def test_an_answer_commands_no_terminal(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    VisibleText(load_tokenizer(model)).on_finalized_text("a\x1b[2J\x07b", stream_end=True)
    assert capsys.readouterr().out == "a\\x1b[2J\\x07b\n"


def test_a_long_conversation_forgets_its_oldest_turns(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = make_chat(model)
    for number in range(4):
        chat.say(f"{number}" + " boat" * 40)
    assert len(chat.turns) < 8
    assert chat.turns[0]["role"] == "user"
    assert chat.turns[-2]["content"].startswith("3")
    assert "forgotten" in capsys.readouterr().err


def test_a_message_that_cannot_fit_changes_nothing(model: Path) -> None:
    chat = make_chat(model)
    chat.say("hi")
    with pytest.raises(UserError, match="tokens"):
        chat.say("boat " * 600)
    assert len(chat.turns) == 2


def test_an_interrupted_answer_leaves_no_trace(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = make_chat(model)

    def interrupt(module: torch.nn.Module, inputs: object) -> None:
        raise KeyboardInterrupt

    handle = chat.model.lm_head.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        chat.say("hi")
    handle.remove()
    assert chat.turns == []


def test_pasted_lines_are_one_question_on_a_terminal(model: Path) -> None:
    terminal, theirs = pty.openpty()
    flags = ["--model", str(model), "--max-new-tokens", "3", "--temperature", "0"]
    environment = os.environ | {"TERM": "xterm", "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *flags], stdin=theirs, stdout=theirs, stderr=subprocess.STDOUT, env=environment
    )
    os.close(theirs)
    read_until(terminal, READY)
    os.write(terminal, "\x1b[200~第一行\n/quit\x1b[201~\r".encode())  # a paste, as terminals bracket it
    read_until(terminal, READY)
    assert process.poll() is None  # the second line of the paste was no command
    os.write(terminal, b"/reset\r")
    read_until(terminal, b"(forgotten)", READY)
    os.write(terminal, b"\x04")
    assert process.wait(timeout=120) == 0
    os.close(terminal)


def read_until(terminal: int, *wanted: bytes) -> None:
    """Read what a terminal shows until all of `wanted` were there, one behind the other."""
    shown = b""
    for part in wanted:
        while part not in shown:
            shown += os.read(terminal, 1 << 16)
        shown = shown.partition(part)[2]
