"""Every program's help reads as its docstring is written, and its parser accepts each example of use in there."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = sorted(path.stem for path in (Path(__file__).parents[2] / "scripts").glob("*.py"))


class AcceptedError(Exception):
    """The command line was parsed; nothing more is to be done."""


@pytest.fixture(autouse=True)
def stopped_after_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, *arguments: Any) -> None:
        parse(self, *arguments)
        raise AcceptedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)


def help_of(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(program).main()
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("program", PROGRAMS)
def test_examples_in_the_help_are_accepted(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(program, monkeypatch, capsys)
    assert importlib.import_module(program).__doc__.strip() in text
    assert "\\\\" not in text
    examples = re.findall(r"^    python scripts/(?:.*\\\n)*.*$", text, re.MULTILINE)
    assert examples
    for example in examples:
        _, path, *words = shlex.split(example.replace("\\\n", " "), comments=True)
        assert path == f"scripts/{program}.py"
        monkeypatch.setattr(sys, "argv", [path, *words])
        with pytest.raises(AcceptedError):
            importlib.import_module(program).main()


def test_an_example_that_is_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["summary.py", "--fodler", "runs/mine"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("summary").main()
    assert ended.value.code == 2
