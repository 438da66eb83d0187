"""What Snakemake's plugin for SLURM gets wrong about jobs that ended, put right for as long as this process lives.

Seen in its version 2.8.0:
- `sacct` says "CANCELLED by 0", which the plugin takes for a job that runs. So it takes PREEMPTED, for ever.
- A job that SLURM queues again after its node went down has no nodes for a while. The plugin would exclude a node named
  "None assigned" from all later submissions, and each of them would fail.
- A job that failed is submitted again whatever the cause, and why it failed is said in files only.

A training that saved and stopped is submitted again as long as it gets further, however many jobs that takes.
"""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

from lib.workflow.attempts import OUT_OF_MEMORY, note

PLUGIN = "snakemake_executor_plugin_slurm"

QUEUED_AGAIN = ("NODE_FAIL", "PREEMPTED", "REQUEUED")
"""States in which SLURM may have put a job into the queue again: the controller knows, accounting only later."""

KILLED_FOR_MEMORY = re.compile(r"^slurmstepd\S*: error: .*(oom[_-]kill|exceeded memory limit)", re.MULTILINE)
"""What SLURM writes into a job's log. Where a step of the job was killed, the job itself only failed."""

SAVED = re.compile(r"^\w+: stopped by .* at step (\d+); run again to go on$", re.MULTILINE)
"""The last words of a training that was told to stop."""

USER_ERROR = re.compile(r"^error: .+$", re.MULTILINE)

States = dict[str, str]
"""State of each job by its number."""


def correct_plugin() -> None:
    """Have the plugin, if this Snakemake uses it, understand how jobs end, and submit only what can still succeed."""
    plugin: Any = sys.modules.get(PLUGIN)
    if plugin is None or hasattr(plugin, "corrected"):
        return
    query, report = plugin.query_job_status, plugin.Executor.report_job_error
    states: States = {}
    steps: dict[int, int] = {}  # that a training has done, by the number of its job

    async def query_job_status(command: str, logger: Any) -> tuple[States | None, float | None]:
        found, seconds = await query(command, logger)
        if found is None:
            return None, None
        if any(plain(state) in QUEUED_AGAIN for state in found.values()):
            name = shlex.split(command)[-1]
            queue, _ = await query(plugin.query_job_status_squeue(name), logger)
            found = settled(found, queue)
        states.update({job: plain(state) for job, state in found.items()})
        return {job: for_plugin(state) for job, state in found.items()}, seconds

    def report_job_error(executor: Any, job_info: Any, msg: str | None = None, **kwargs: Any) -> None:
        job = job_info.job
        number = job_info.external_jobid
        log = _text((job_info.aux or {}).get("slurm_logfile"))
        state = states.get(number, "not submitted")
        mistakes = USER_ERROR.findall(log) if state == "FAILED" else []
        for line in mistakes:
            print(line, file=sys.stderr)
        if mistakes:
            job.attempt = job.restart_times + 1  # the last one
        if (saved := SAVED.search(log)) and int(saved[1]) > steps.get(job.jobid, 0):
            steps[job.jobid] = int(saved[1])
            job.attempt -= 1  # this one does not count
        if KILLED_FOR_MEMORY.search(log):
            state = OUT_OF_MEMORY
        for one in job.jobs if job.is_group() else [job]:
            note(one.rule.name, one.wildcards_dict, state)
        report(executor, job_info, msg, **kwargs)

    plugin.query_job_status = query_job_status
    plugin.Executor.report_job_error = report_job_error
    plugin.corrected = True


def plain(state: str) -> str:
    """A state without what accounting adds: `CANCELLED` of `CANCELLED by 0`."""
    return state.split(" ", 1)[0].rstrip("+")


def settled(accounting: States, queue: States | None) -> States:
    """States by accounting; of jobs that may be queued again, those in the controller's `queue`.

    A job that the queue does not hold has ended. While the controller does not answer (None), it may still be queued.
    """
    return {
        job: ("PENDING" if queue is None else queue.get(job, state)) if plain(state) in QUEUED_AGAIN else state
        for job, state in accounting.items()
    }


def for_plugin(state: str) -> str:
    """A state that the plugin takes for what it is.

    Of a node that failed, the plugin would remember the name and exclude it, which SLURM does by itself while the node
    is down, and which leaves no node for a job that needs all.
    """
    return "FAILED" if plain(state) in QUEUED_AGAIN else plain(state)


def _text(log: Path | None) -> str:
    try:
        return Path(log).read_text("utf-8", errors="replace") if log else ""
    except OSError:  # the job never began
        return ""
