"""What a cluster with accounting does to jobs: each fault at a training of its own, all of them at the same time."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lib.core.outputs import sha256_file
from slurm_jobs import accounts, job_in, on_slurm, slurm, started_on_slurm
from workspace import Finished, Workspace

ADAPTER = "results/pretrain_lora/manifest.json"
STEPS = {"max_steps": 400, "learning_rate": 0.003, "precision": "fp32"}
WAIT = 900  # seconds


def wait_until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.2)


def state(job: str) -> str:
    return slurm("squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job)


def begin_at_once(job: str) -> None:
    """Have a job that was queued again begin now; SLURM waits for two minutes."""
    wait_until(lambda: state(job) == "PENDING")
    slurm("scontrol", "update", f"JobId={job}", "StartTime=now")


def cancel(job: str) -> None:
    slurm("scancel", job)


def reach_the_time_limit(job: str) -> None:
    slurm("scontrol", "update", f"JobId={job}", "EndTime=now")


def lose_the_node(job: str) -> None:
    node = slurm("squeue", "--noheader", "--format=%N", "--jobs", job)
    for condition in ("down", "drain"):  # the daemon, which lives, would report itself as up again
        slurm("scontrol", "update", f"NodeName={node}", f"State={condition}", "Reason=test")
    begin_at_once(job)
    wait_until(lambda: state(job) == "RUNNING")
    slurm("scontrol", "update", f"NodeName={node}", "State=resume")


def requeue(job: str) -> None:
    slurm("scontrol", "requeue", job)
    begin_at_once(job)


def preempt(job: str) -> None:
    slurm("sbatch", "--partition=urgent", "--exclusive", "--mem=10", "--output=/dev/null", "--wrap=true")


FAULTS = {fault.__name__: fault for fault in (cancel, reach_the_time_limit, lose_the_node, requeue, preempt)}
PARTITIONS = {"lose_the_node": "lossy", "preempt": "low"}


@dataclass(frozen=True)
class Trained:
    """A training that something happened to."""

    run: Finished
    jobs: list[list[str]]
    """State, memory and time limit of each of its jobs, by accounting; one that SLURM queued again is two."""
    log: str
    """What its jobs wrote. SLURM begins the log of a job that it queues again anew."""
    adapter: str | None
    """Checksum of its weights."""


def train_through(workspace: Workspace, fault: Callable[[str], None]) -> Trained:
    partition = f"pretrain:slurm_partition={PARTITIONS.get(fault.__name__, 'test')}"
    process = started_on_slurm(workspace, "--set-resources", partition, "--", ADAPTER, pretrain=1)
    workspace.wait_for_checkpoint(process)
    # It must not end before something happens to it. SLURM continues what it tells to stop.
    os.kill(workspace.trainer(), signal.SIGSTOP)
    fault(job_in(workspace.root))
    output, _ = process.communicate(timeout=WAIT)
    weights = workspace.root / "results" / "pretrain_lora" / "adapter_model.safetensors"
    logs = (workspace.root / ".snakemake" / "slurm_logs" / "rule_pretrain").glob("*.log")
    return Trained(
        Finished(process.returncode, output),
        accounts(output),
        "".join(path.read_text(encoding="utf-8") for path in sorted(logs)),
        sha256_file(weights) if weights.is_file() else None,
    )


@pytest.fixture(scope="module")
def start(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace where everything is there that comes before training."""
    start = workspace.copy(tmp_path_factory.mktemp("stopped") / "start")
    shutil.rmtree(start.root / ".snakemake" / "slurm_logs", ignore_errors=True)
    start.configure(pretrain=STEPS, sweep={"points": None})
    start.make("--", "results/extended_model/manifest.json", "results/pretrain_data/manifest.json")
    return start


@pytest.fixture(scope="module")
def undisturbed(start: Workspace) -> str:
    copy = start.copy(start.root.with_name("undisturbed"))
    copy.make("--set-threads", "pretrain=1", "--", ADAPTER)
    return sha256_file(copy.root / "results" / "pretrain_lora" / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def trained(start: Workspace) -> dict[str, Trained]:
    workspaces = {name: start.copy(start.root.with_name(name)) for name in FAULTS}
    with ThreadPoolExecutor(len(FAULTS)) as threads:
        futures = {name: threads.submit(train_through, workspaces[name], fault) for name, fault in FAULTS.items()}
        return {name: future.result() for name, future in futures.items()}


@pytest.mark.fault
@pytest.mark.parametrize("fault", FAULTS)
def test_training_goes_on_to_the_same_bits(fault: str, trained: dict[str, Trained], undisturbed: str) -> None:
    after = trained[fault]
    assert after.run.status == 0, after.run.output
    assert after.adapter == undisturbed
    assert "pretrain: going on from" in after.log
    assert ("pretrain: stopped by SIGTERM" in after.log) == (fault in ("cancel", "reach_the_time_limit", "preempt"))
    *before, last = [state for state, _, _ in after.jobs]
    assert last == "COMPLETED"
    expected = {
        "cancel": "CANCELLED by 0",
        "reach_the_time_limit": "TIMEOUT",
        "lose_the_node": "NODE_FAIL",
        "requeue": "REQUEUED",
        "preempt": "FAILED",  # it saved and ended before its grace time was over
    }
    assert before == [expected[fault]]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_job_asks_for_what_the_first_did(fault: str, trained: dict[str, Trained]) -> None:
    (_, memory, _), (_, memory_of_next, minutes_of_next) = trained[fault].jobs
    assert memory_of_next == memory
    assert minutes_of_next == "720"


@pytest.mark.parametrize("fault", ["lose_the_node", "requeue"])
def test_what_slurm_queues_again_is_not_submitted_again(fault: str, trained: dict[str, Trained]) -> None:
    assert trained[fault].run.output.count("has been submitted with SLURM jobid") == 1


@pytest.mark.fault
def test_a_mistake_of_the_user_is_submitted_once_and_said_on_the_terminal(start: Workspace, tmp_path: Path) -> None:
    workspace = start.copy(tmp_path / "mistake")
    sheet = workspace.root / "config" / "corpus.tsv"
    sheet.write_text(f"name\turi\tsha256\nstories\tdata/stories.jsonl\t{'0' * 64}\n", encoding="utf-8")
    finished = workspace.run(*on_slurm("--", "results/corpus/raw/stories.json"))
    assert finished.status == 1, finished.output
    assert len(finished.errors) == 1
    assert "sha256 is" in finished.errors[0]
    assert [state for state, _, _ in accounts(finished.output)] == ["FAILED"]


@pytest.mark.fault
def test_after_memory_ran_out_a_job_asks_for_twice_as_much(start: Workspace, tmp_path: Path) -> None:
    workspace = start.copy(tmp_path / "memory")
    raw = "results/corpus/raw/stories.json"
    (workspace.root / raw).unlink()
    # Less than Snakemake itself takes on the node.
    few = ["--default-resources", "mem_mb=80", "runtime=60", "disk_mb=1000", "gpu=0"]
    finished = workspace.run(*on_slurm(*few, "--forcerun", "fetch", "--", raw))
    assert finished.status == 0, finished.output
    memory = [memory for _, memory, _ in accounts(finished.output)]
    assert len(memory) > 1
    assert memory == [f"{80 * 2**attempt}M" for attempt in range(len(memory))]
