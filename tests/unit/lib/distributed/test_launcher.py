"""Programs in several processes: they know each other, and end with the status and the one line of a single one."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from torch.distributed.elastic.utils.logging import get_logger

from lib.core.errors import DivergedError
from lib.distributed.launcher import silence_agent

SCRIPTS = Path(__file__).resolve().parents[4] / "scripts"
WAIT = 120  # seconds
OTHER_NODE = ("failed: no connection to the other nodes by way of", "failed: a process of another node has ended")
PROGRAM = """\
import os, signal, sys, time
sys.path.insert(0, {scripts!r})
from lib.core.errors import DivergedError, UserError
from lib.core.program import run
from lib.distributed.launcher import spread

def main():
    spread(2, {nodes})
    rank = int(os.environ["RANK"])
{main}
run(main)
"""


# Stands for SLURM's: starts the command, which follows the options, once for each node, all on this machine.
SRUN = """\
#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift; done
"$@" & first=$!
"$@" & second=$!
trap 'kill -TERM $first $second' TERM
status=0
for task in $first $second; do
    wait $task; one=$?
    while kill -0 $task 2>/dev/null; do wait $task; one=$?; done
    [ $one -gt $status ] && status=$one
done
exit $status
"""


def start(tmp_path: Path, body: str, nodes: int = 1, **changes: str) -> "subprocess.Popen[str]":
    """Start a program whose `main` runs `body` in each of two processes, in an environment with `changes`."""
    program = tmp_path / "program.py"
    main = textwrap.indent(textwrap.dedent(body), "    ")
    program.write_text(PROGRAM.format(scripts=str(SCRIPTS), nodes=nodes, main=main))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return subprocess.Popen(
        [sys.executable, str(program)],
        env=environment | {"OMP_NUM_THREADS": "4"} | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_each_process_knows_its_place(tmp_path: Path) -> None:
    body = """
    import torch
    torch.distributed.init_process_group("gloo")
    total = torch.tensor([rank + 1])
    torch.distributed.all_reduce(total)
    names = ("LOCAL_RANK", "WORLD_SIZE", "OMP_NUM_THREADS")
    sys.stdout.write(" ".join([str(rank), *(os.environ[name] for name in names), str(total.item())]) + "\\n")
    torch.distributed.destroy_process_group()
    """
    output, errors = (process := start(tmp_path, body)).communicate(timeout=WAIT)
    assert process.returncode == 0, errors
    assert sorted(output.splitlines()) == ["0 0 2 2 3", "1 1 2 2 3"]
    assert errors == ""


@pytest.mark.parametrize("who", ["rank == 0", "rank == 1", "True"])
def test_mistake_of_the_user_is_one_line(tmp_path: Path, who: str) -> None:
    body = f"""
    if {who}:
        raise UserError("file.jsonl, line 3: no text")
    time.sleep({WAIT})
    """
    output, errors = (process := start(tmp_path, body)).communicate(timeout=WAIT)
    assert process.returncode == 1
    assert (output, errors) == ("", "error: file.jsonl, line 3: no text\n")


def test_peers_that_fail_because_one_did_say_nothing(tmp_path: Path) -> None:
    body = """
    import torch
    torch.distributed.init_process_group("gloo")
    if rank == 1:
        raise DivergedError("this is it")
    torch.distributed.all_reduce(torch.zeros(1))
    """
    _, errors = (process := start(tmp_path, body)).communicate(timeout=WAIT)
    assert process.returncode == DivergedError.status
    assert errors == "error: this is it\n"


@pytest.mark.parametrize("who", ["rank == 1", "True"])
def test_unforeseen_error_is_shown_once(tmp_path: Path, who: str) -> None:
    body = f"""
    if {who}:
        raise KeyError("nowhere")
    time.sleep({WAIT})
    """
    _, errors = (process := start(tmp_path, body)).communicate(timeout=WAIT)
    assert process.returncode == 1
    assert errors.count("Traceback") == 1
    assert errors.endswith("KeyError: 'nowhere'\n")


@pytest.mark.fault
def test_killed_process(tmp_path: Path) -> None:
    body = f"""
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep({WAIT})
    """
    _, errors = (process := start(tmp_path, body)).communicate(timeout=WAIT)
    assert process.returncode == 128 + signal.SIGKILL
    assert errors == "failed: a training process was ended by SIGKILL\n"


@pytest.mark.fault
def test_killed_process_whose_peer_tells_of_the_loss_before_anyone_looks(tmp_path: Path) -> None:
    body = """
    import atexit, datetime, torch
    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
    # Neither a signal nor a connection that hangs may leave the parent stopped.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The parent holds the store where the processes meet: both must have met before it is stopped.
    torch.distributed.all_reduce(torch.zeros(1))
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    atexit.register(os.abort)  # ends by a signal, too, after it has spoken
    os.kill(os.getppid(), signal.SIGSTOP)
    try:
        torch.distributed.all_reduce(torch.zeros(1))
    finally:
        os.kill(os.getppid(), signal.SIGCONT)
    """
    _, errors = (process := start(tmp_path, body)).communicate(timeout=WAIT)
    assert process.returncode == 128 + signal.SIGKILL
    assert errors.endswith("failed: a training process was ended by SIGKILL\n")
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.fault
def test_signal_reaches_every_process_and_the_status_comes_back(tmp_path: Path, number: signal.Signals) -> None:
    body = """
    got = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: got.append(number))
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    while not got:
        time.sleep(0.01)
    sys.stdout.write(f"{signal.Signals(got[0]).name}\\n")
    sys.exit(75)
    """
    process = start(tmp_path, body)
    assert process.stdout
    assert [process.stdout.readline(), process.stdout.readline()] == ["ready\n"] * 2
    process.send_signal(number)
    output, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 75
    assert output == f"{number.name}\n" * 2
    assert errors == ""


@pytest.fixture
def two_nodes(tmp_path: Path) -> dict[str, str]:
    """Environment of a job of two nodes."""
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    path = os.pathsep.join([str(srun.parent), os.environ["PATH"]])
    return {"PATH": path, "SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NUM_NODES": "2"}


def test_the_agent_prints_nothing(caplog: pytest.LogCaptureFixture) -> None:
    agent, above = get_logger("torch.distributed.elastic.agent.server.api"), logging.getLogger("torch.distributed")
    agent.error("Error waiting on exit barrier")
    assert len(caplog.records) == 1
    silence_agent()
    agent.error("Error waiting on exit barrier")
    get_logger("torch.distributed.elastic.imported.later").error("the same")
    above.error("not the agent's")
    assert [record.message for record in caplog.records[1:]] == ["not the agent's"]


@pytest.mark.slow
def test_nodes_meet(tmp_path: Path, two_nodes: dict[str, str]) -> None:
    body = """
    import torch
    torch.distributed.init_process_group("gloo")
    total = torch.tensor([rank + 1])
    torch.distributed.all_reduce(total)
    sys.stdout.write(f"{rank} of {os.environ['WORLD_SIZE']}: {total.item()}\\n")
    torch.distributed.destroy_process_group()
    """
    output, errors = (process := start(tmp_path, body, nodes=2, **two_nodes)).communicate(timeout=WAIT)
    assert process.returncode == 0, errors
    assert sorted(output.splitlines()) == [f"{rank} of 4: 10" for rank in range(4)]
    assert errors == ""


@pytest.mark.slow
@pytest.mark.fault
def test_signal_reaches_every_node(tmp_path: Path, two_nodes: dict[str, str]) -> None:
    body = """
    got = []
    signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    while not got:
        time.sleep(0.01)
    sys.exit(75)
    """
    process = start(tmp_path, body, nodes=2, **two_nodes)
    assert process.stdout
    assert [process.stdout.readline() for _ in range(4)] == ["ready\n"] * 4
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 75
    assert errors == ""


@pytest.mark.slow
def test_mistake_on_one_of_several_nodes_is_one_line(tmp_path: Path, two_nodes: dict[str, str]) -> None:
    body = f"""
    import torch
    torch.distributed.init_process_group("gloo")
    if rank == 3:
        raise UserError("this is it")
    torch.distributed.all_reduce(torch.zeros(1))
    time.sleep({WAIT})
    """
    _, errors = (process := start(tmp_path, body, nodes=2, **two_nodes)).communicate(timeout=WAIT)
    assert process.returncode == 1
    # C++ may have its say on the way out.
    first, *others = sorted((line for line in errors.splitlines() if line.startswith("error: ")), reverse=True)
    assert first == "error: this is it"
    assert all(line.startswith(OTHER_NODE) for line in others), errors
    assert "Traceback" not in errors


def test_several_nodes_without_slurm(tmp_path: Path) -> None:
    _, errors = (process := start(tmp_path, "pass", nodes=3)).communicate(timeout=WAIT)
    assert process.returncode == 1
    assert errors == "error: settings: nodes is 3, but this is no SLURM job; use profiles/slurm, or set nodes to 1\n"
