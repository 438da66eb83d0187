"""Locks that die with their process."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core import locks
from lib.core.locks import Held, acquire, hold, open_lock
from workspace import PROJECT

HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from lib.core.locks import hold
with hold(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "work" / "pretrain.lock"


@pytest.fixture
def holder(lock: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(PROJECT / "scripts"), str(lock)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_lock(lock: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(Held, match=f"^process {holder.pid} on "), hold(lock):
        pass
    holder.kill()
    holder.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.fault
def test_the_lock_dies_with_its_process(lock: Path, holder: subprocess.Popen[str], number: int) -> None:
    holder.send_signal(number)
    holder.communicate()
    with hold(lock):
        pass
    assert not lock.exists()


def test_one_that_waits_gets_the_lock_in_the_end(lock: Path, holder: subprocess.Popen[str]) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLDER.replace("[2])", "[2]), waits=True"), str(PROJECT / "scripts"), str(lock)],
        stdout=subprocess.PIPE,
        text=True,
    )
    holder.kill()
    holder.communicate()
    assert waiting.stdout
    assert waiting.stdout.readline() == "held\n"
    waiting.kill()
    waiting.communicate()


def test_several_share_what_none_of_them_has_alone(lock: Path) -> None:
    with open_lock(lock) as one, open_lock(lock) as other:
        assert acquire(one, fcntl.LOCK_EX)
        assert not acquire(other, fcntl.LOCK_SH)
        assert acquire(one, fcntl.LOCK_SH)
        assert acquire(other, fcntl.LOCK_SH)
        assert not acquire(one, fcntl.LOCK_EX)


@pytest.mark.fault
def test_a_file_system_without_locks_holds_nobody_up(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_locks(file: object, kind: int) -> None:
        raise OSError(locks.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", without_locks)
    with hold(lock), hold(lock):
        pass
