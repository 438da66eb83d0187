"""What all programs have in common: help as it is written, lines from one process, an orderly end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.core.program import program_parser, run, say

SCRIPTS = Path(__file__).parents[4] / "scripts"


def test_help_keeps_the_lines_of_the_description() -> None:
    text = "What it does.\n\n    python program.py --settings '{}' \\\n        --output file\n"
    assert text.strip() in program_parser(text).format_help()


def test_the_first_process_speaks_for_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        say(f"said by {rank}")
    monkeypatch.delenv("RANK")
    say("said alone")
    assert capsys.readouterr().out == "said by 0\nsaid alone\n"


def test_a_mistake_of_the_user_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("file.jsonl, line 3: no text")

    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: file.jsonl, line 3: no text\n"


def test_a_program_that_trains_starts_without_a_word_of_the_libraries() -> None:
    command = [sys.executable, "-c", "import pretrain, bitsandbytes"]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    started = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (started.stdout, started.stderr) == ("", "")


def test_nothing_commands_the_terminal_and_no_secret_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    text = "a\x1b[2J\x9b1m\r\u202eb 关羽\n\tc https://a.example/x?id=1&token=abc"
    say(text)

    def main() -> None:
        raise UserError(text)

    with pytest.raises(SystemExit):
        run(main)
    expected = "a\\x1b[2J\\x9b1m\\r\\u202eb 关羽\n\tc https://a.example/x?id=1\n"
    assert capsys.readouterr() == (expected, f"error: {expected}")
