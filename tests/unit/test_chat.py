"""The terminal chat, driven through its standard input as a person would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from chat import Chat

from lib.core.errors import UserError
from lib.models.loading import load_model, load_tokenizer
from tiny_model import make_tiny_model

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
    assert answer in capsys.readouterr().out
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"]
    chat.reset()
    assert chat.turns == []


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
