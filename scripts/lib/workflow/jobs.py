"""What Snakemake is about to run, written down for `make watch`."""

from pathlib import Path
from typing import Any

from lib.runs.plan import Job, write_plan


def write_jobs(workflow: Any) -> None:
    """Write down the jobs that `workflow` starts, in the order of their dependencies, in the folder of the run."""
    dag = workflow.dag
    levels = dag.toposorted(set(dag.needrun_jobs()))
    jobs = [job for level in levels for job in sorted(level, key=lambda job: job.jobid) if job.benchmark]
    places = {job: place for place, job in enumerate(jobs)}
    described = [
        Job(
            rule=job.rule.name,
            threads=job.threads,
            log=str(job.log[0]),
            benchmark=str(job.benchmark),
            needs=[places[needed] for needed in dag.dependencies[job] if needed in places],
        )
        for job in jobs
    ]
    write_plan(Path.cwd(), described, workflow.resource_settings.cores if workflow.local_exec else None)
