"""Jobs of a real SLURM (tests/slurm/setup.sh): how tests submit them, and what its accounting says of them."""

import re
import subprocess
import sys
from pathlib import Path

from workspace import Workspace, quiet_environment

# Of the tests' nodes alone: they have few processors, and nobody waits in their queue.
OPTIONS = ["--slurm-keep-successful-logs", "--slurm-init-seconds-before-status-checks", "1"]
OPTIONS += ["--seconds-between-status-checks", "1", "--latency-wait", "10"]


def on_slurm(*arguments: str, **threads: int) -> list[str]:
    """A command line of Snakemake with the profile that users get, and with fewer threads for some rules."""
    few = {"evaluate": 1, "extended_model": 2, "pretrain": 2, "sft": 2} | threads
    options = [*OPTIONS, "--set-threads", *(f"{rule}={number}" for rule, number in few.items())]
    return [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *options, *arguments]


def started_on_slurm(workspace: Workspace, *arguments: str, **threads: int) -> subprocess.Popen[str]:
    """Snakemake as `on_slurm` calls it, running in a folder, its errors among its output."""
    return subprocess.Popen(
        on_slurm(*arguments, **threads),
        cwd=workspace.root,
        env=quiet_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def slurm(*command: str) -> str:
    """What one of SLURM's commands prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def job_in(folder: Path) -> str:
    """Number of the one job that Snakemake has submitted from a folder and that has not ended."""
    folders = [line.split(" ", 1) for line in slurm("squeue", "--noheader", "--format=%i %Z").splitlines()]
    (number,) = (number for number, its in folders if its == str(folder))
    return number


def accounts(output: str) -> list[list[str]]:
    """State, memory and time limit of each job that a run of Snakemake submitted; one that was queued again is two."""
    names = re.findall(r"^SLURM run ID: (\S+)$", output, re.MULTILINE)
    columns = "--format=State,ReqMem,TimelimitRaw"
    return [
        line.split("|")
        for line in slurm(
            "sacct", "-X", "--parsable2", "--noheader", "--duplicates", columns, f"--name={','.join(names)}"
        ).splitlines()
    ]
