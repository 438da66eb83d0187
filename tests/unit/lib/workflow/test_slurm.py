"""How jobs of SLURM end, as Snakemake's plugin is told."""

import asyncio
import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import snakemake_executor_plugin_slurm as plugin
from snakemake_executor_plugin_slurm.job_status_query import query_job_status_sacct, query_job_status_squeue
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from lib.workflow import attempts
from lib.workflow.slurm import PLUGIN, correct_plugin


@pytest.fixture
def corrected(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plugin, corrected for one test, whose queries answer with what a test sets, and whose reports are kept."""
    attempts._ended.clear()
    copy: Any = ModuleType(PLUGIN)
    copy.answers, copy.reported = {}, []

    async def query(command: str, logger: logging.Logger) -> tuple[dict[str, str] | None, float | None]:
        return copy.answers[command.split()[0]], 0.1

    class Executor:
        def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any) -> None:
            copy.reported.append(msg)

    copy.query_job_status, copy.query_job_status_squeue, copy.Executor = query, query_job_status_squeue, Executor
    monkeypatch.setitem(sys.modules, PLUGIN, copy)
    correct_plugin()
    return copy


def states(corrected: Any, accounting: dict[str, str], queue: dict[str, str] | None) -> dict[str, str]:
    """What the plugin is told, when SLURM's commands say this."""
    corrected.answers = {"sacct": accounting, "squeue": queue}
    found, _ = asyncio.run(corrected.query_job_status(query_job_status_sacct("run"), logging.getLogger()))
    return dict(found)


class Job:
    """What the correction reads of a job of Snakemake's, and sets."""

    def __init__(self) -> None:
        self.rule, self.wildcards_dict = SimpleNamespace(name="pretrain"), {}
        self.jobid, self.attempt, self.restart_times = 3, 2, 3

    def is_group(self) -> bool:
        return False


def end(corrected: Any, job: Job, state: str, log: Path, text: str) -> int:
    """Report the end of a job whose log reads `text`; how often memory ran out by then."""
    log.write_text(text, encoding="utf-8")
    states(corrected, {"7": state}, {})
    info = SubmittedJobInfo(job, external_jobid="7", aux={"slurm_logfile": log})  # type: ignore[arg-type]
    corrected.Executor().report_job_error(info, msg="it failed")
    return attempts._ended["pretrain", frozenset(), "OUT_OF_MEMORY"]


def test_the_plugin_has_what_is_corrected() -> None:
    assert plugin.__name__ == PLUGIN
    assert callable(plugin.query_job_status)
    assert callable(plugin.Executor.report_job_error)


def test_a_cancelled_job_has_ended(corrected: Any) -> None:
    assert states(corrected, {"1": "CANCELLED by 0", "2": "RUNNING"}, {}) == {"1": "CANCELLED", "2": "RUNNING"}


@pytest.mark.parametrize("state", ["NODE_FAIL", "PREEMPTED", "REQUEUED"])
def test_a_job_that_is_queued_again_is_waited_for(corrected: Any, state: str) -> None:
    assert states(corrected, {"1": state}, {"1": "PENDING"}) == {"1": "PENDING"}
    assert states(corrected, {"1": state}, None) == {"1": "PENDING"}


@pytest.mark.parametrize("state", ["NODE_FAIL", "PREEMPTED"])
def test_one_that_is_not_has_failed_and_excludes_no_node(corrected: Any, state: str) -> None:
    assert states(corrected, {"1": state}, {"1": state}) == {"1": "FAILED"}
    assert states(corrected, {"1": state}, {}) == {"1": "FAILED"}


def test_nothing_is_known_while_accounting_does_not_answer(corrected: Any) -> None:
    corrected.answers = {"sacct": None}
    command = query_job_status_sacct("run")
    assert asyncio.run(corrected.query_job_status(command, logging.getLogger())) == (None, None)


def test_a_mistake_of_the_user_is_the_last_attempt(
    corrected: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job()
    end(corrected, job, "FAILED", tmp_path / "log", "fetching\nerror: data.txt: sha256 is a, not b\nError in rule\n")
    assert capsys.readouterr().err == "error: data.txt: sha256 is a, not b\n"
    assert job.attempt == 4
    assert corrected.reported == ["it failed"]


def test_what_slurm_says_is_no_mistake_of_the_user(corrected: Any, tmp_path: Path) -> None:
    job = Job()
    end(corrected, job, "FAILED", tmp_path / "log", "srun: error: test1: task 0: Killed\nfailed: a training process\n")
    end(corrected, job, "CANCELLED by 0", tmp_path / "log", "error: data.txt: sha256 is a, not b\n")
    assert job.attempt == 2


@pytest.mark.parametrize(
    ("state", "line", "ran_out"),
    [
        ("OUT_OF_MEMORY", "", 1),
        ("FAILED", "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks", 1),
        ("FAILED", "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0 cgroup.", 1),
        ("FAILED", "slurmstepd-n1: error: StepId=7.0 exceeded memory limit (2 > 1), being killed", 1),
        ("FAILED", "slurmstepd: error: *** STEP 7.0 ON n1 CANCELLED AT 2026-01-01T00:00:00 ***", 0),
        ("TIMEOUT", "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***", 0),
    ],
)
def test_when_memory_ran_out(corrected: Any, tmp_path: Path, state: str, line: str, ran_out: int) -> None:
    assert end(corrected, Job(), state, tmp_path / "log", f"start\n{line}\n") == ran_out


def test_a_training_that_gets_further_is_submitted_again_without_counting(corrected: Any, tmp_path: Path) -> None:
    job = Job()
    saved = "pretrain: stopped by SIGTERM at step {}; run again to go on\n"
    counts = []
    for step in (20, 40, 40):
        end(corrected, job, "TIMEOUT", tmp_path / "log", saved.format(step))
        counts.append(job.attempt)
        job.attempt += 1  # as Snakemake does
    assert counts == [1, 1, 2]


def test_a_job_that_was_not_submitted_has_no_log(corrected: Any) -> None:
    job = Job()
    corrected.Executor().report_job_error(SubmittedJobInfo(job), msg="sbatch failed")  # type: ignore[arg-type]
    assert (job.attempt, corrected.reported) == (2, ["sbatch failed"])
