"""Snakemake, as a program's job sees it."""

import os
import socket
import subprocess
import sys

import pytest

from lib.core.parent import Parent
from lib.core.places import PARENT


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setenv(PARENT, f"{process.pid}@{socket.gethostname()}")
    return process


def test_it_has_gone_when_its_process_has_ended(other: subprocess.Popen[bytes]) -> None:
    parent = Parent()
    assert not parent.has_gone()
    other.kill()
    # Ended, but nobody has asked how: a zombie.
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert parent.has_gone()
    other.communicate()
    assert parent.has_gone()


@pytest.mark.parametrize("value", ["", "12", "1@another-host", "x@", f"99999999@{socket.gethostname()}"])
def test_what_cannot_be_seen_has_not_gone(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, value)
    assert not Parent().has_gone()
