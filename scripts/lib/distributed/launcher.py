"""Several processes for one run: torchrun's agent on each node, which srun starts when there is more than one.

A program calls `spread` first thing. Started once, it starts itself as often as it must and ends as those processes
do: with status 75 when they stopped in good order, with one line when the user's input is at fault. torchrun's own
program would turn every status into 1, and would kill a process that still saves half a minute after a signal.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import uuid
from types import FrameType
from typing import Any

import psutil
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from lib.core.errors import UserError
from lib.core.program import STATUS, USER_ERROR

STARTED = "TORCHELASTIC_RUN_ID"  # in the environment of what the agent starts
RENDEZVOUS = "TRAINING_RENDEZVOUS"  # where the agents of several nodes meet, in the environment of what srun starts
STOPPED = 75  # EX_TEMPFAIL: not finished, but nothing is wrong; run again to go on
LOSSES = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")  # gloo's words
SECONDS_TO_END = 60  # for the others after one has failed; whoever stops in good order has saved before


def spread(processes: int, nodes: int) -> None:
    """Run this program's command line in `processes` processes on each of `nodes` nodes, and exit as they do.

    Returns when there is to be one process, and in each of several. These find their rank and their number in the
    environment, where `torch.distributed` looks for it. `nodes` > 1 needs a SLURM job of that many nodes.
    """
    if processes * nodes == 1 or STARTED in os.environ:
        return
    sys.exit(_on_every_node(nodes) if nodes > 1 and RENDEZVOUS not in os.environ else _on_this_node(processes, nodes))


def _on_every_node(nodes: int) -> int:
    """Start this program once on each node of the SLURM job; the status of the worst."""
    job = int(os.environ.get("SLURM_JOB_ID", "0"))
    # Snakemake keeps the number of nodes from what it starts; srun says then that it has too few of them.
    given = int(os.environ.get("SLURM_JOB_NUM_NODES", nodes)) if job else 0
    if given < nodes:
        where = f"this SLURM job has {given}" if job else "this is no SLURM job"
        raise UserError(f"settings: nodes is {nodes}, but {where}; use profiles/slurm, or set nodes to 1")
    command = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--overlap"]
    command += ["--kill-on-bad-exit=1", "--export=ALL", "--cpu-bind=none"]
    if threads := os.environ.get("OMP_NUM_THREADS"):
        command.append(f"--cpus-per-task={threads}")
    rendezvous = f"{socket.gethostname()}:{20000 + job % 20000}"
    # Agents that end one after another would warn of each other's silence.
    environment = {"TORCH_CPP_LOG_LEVEL": "ERROR"} | os.environ | {RENDEZVOUS: rendezvous}
    step = subprocess.Popen([*command, sys.executable, *sys.argv], env=environment)
    _pass_on_signals()
    return step.wait()


def _on_this_node(processes: int, nodes: int) -> int:
    """Start the processes of this node and wait for them; their status, and what went wrong in one line."""
    silence_agent()
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // processes))
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        run_id=os.environ.get("SLURM_JOB_ID", uuid.uuid4().hex) if nodes > 1 else uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=os.environ.get(RENDEZVOUS, "localhost:0"),
        max_restarts=0,
        monitor_interval=0.2,
        signals_to_handle="SIGQUIT",  # the others are passed on instead
        shutdown_timeout=SECONDS_TO_END,
    )
    _pass_on_signals()
    try:
        elastic_launch(config, sys.executable)(*sys.argv)
    except ChildFailedError as error:
        return _status(list(error.failures.values()))
    except RendezvousError:
        host = os.environ.get(RENDEZVOUS, "this machine")
        print(f"failed: no connection to the other nodes by way of {host}; see what they say", file=sys.stderr)
        return 1
    return 0


def silence_agent() -> None:
    """Print nothing that torch's agent logs, such as tracebacks when another node's agent ends first.

    Its modules set levels of their own, so that of the logger above them would not do.
    """
    agent = logging.getLogger("torch.distributed.elastic")
    agent.addHandler(logging.NullHandler())
    agent.propagate = False


def _status(failures: list[ProcessFailure]) -> int:
    """Exit status for the failures of processes; prints what the one that is the cause left to be said.

    A line that begins with `error:` is the user's to mend, and a cluster does not run such a job again. What another
    attempt may mend begins with `failed:`.
    """
    if any(failure.exitcode == STOPPED for failure in failures):
        return STOPPED
    failure = min(failures, key=_how_far_from_the_cause)
    if details := _details(failure):
        elsewhere = RENDEZVOUS in os.environ and any(loss in details["text"] for loss in LOSSES)
        text = "failed: a process of another node has ended; see what it says" if elsewhere else details["text"]
        print(text, file=sys.stderr, flush=True)
        return int(details[STATUS])  # whatever ended it after it had said so
    if failure.exitcode > 0:
        return failure.exitcode
    print(f"failed: a training process was ended by {failure.signal_name()}", file=sys.stderr, flush=True)
    return 128 - failure.exitcode


def _how_far_from_the_cause(failure: ProcessFailure) -> tuple[bool, bool, bool, int]:
    """The lower, the likelier is this failure the one that made the others fail.

    When one process fails, the others lose their connection to it and say so, or are ended by the agent (SIGTERM) or by
    NCCL (SIGABRT). So what the user did wrong comes first, then who was killed without a word, then who spoke first.
    """
    details = _details(failure)
    was_killed = not details and failure.exitcode < 0 and -failure.exitcode not in (signal.SIGTERM, signal.SIGABRT)
    return not details.get(USER_ERROR), not was_killed, not details, int(details.get("nanoseconds", 0))


def _details(failure: ProcessFailure) -> dict[str, Any]:
    """What `lib.core.errors.run` wrote down in a process that failed."""
    message = failure.error_file_data.get("message")
    details: dict[str, Any] = message["extraInfo"] if isinstance(message, dict) else {}
    return details


def _pass_on_signals() -> None:
    """Give SIGTERM and SIGINT to the processes that were started, and go on waiting for them."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        children = psutil.Process().children()
        if not children:
            sys.exit(128 + number)
        for child in children:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
