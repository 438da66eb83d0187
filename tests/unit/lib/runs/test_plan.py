"""The plan of a run, as another program reads it: what is done, what runs, and how the run ended."""

import json
import os
import subprocess
import sys
from pathlib import Path

from lib.runs.plan import END, FILE, Job, job_state, read_plan, run_state, write_end, write_plan

JOBS = [Job("fetch", 1, "logs/fetch/novels.log", "benchmarks/fetch/novels.tsv", []), Job("corpus", 1, "c", "d", [0])]


def touch(path: Path, seconds: float) -> None:
    """A file that was written so many seconds after the plan of its run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (seconds, seconds))


def test_a_job_is_running_by_its_log_and_done_by_its_benchmark(tmp_path: Path) -> None:
    write_plan(tmp_path, JOBS, cores=2)
    plan = read_plan(tmp_path)
    assert plan is not None
    assert (plan.jobs, plan.cores) == (JOBS, 2)
    log, benchmark = tmp_path / JOBS[0].log, tmp_path / JOBS[0].benchmark
    touch(log, plan.started - 60)  # of an earlier run
    touch(benchmark, plan.started - 50)
    assert job_state(plan, JOBS[0], tmp_path) == "waiting"
    touch(log, plan.started + 1)
    assert job_state(plan, JOBS[0], tmp_path) == "running"
    touch(benchmark, plan.started + 2)
    assert job_state(plan, JOBS[0], tmp_path) == "done"


def test_a_run_goes_on_until_its_end_is_written(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    write_plan(tmp_path, JOBS, cores=None)
    plan = read_plan(tmp_path)
    assert plan is not None
    assert run_state(plan, tmp_path) == "running"
    write_end(tmp_path, "failed")
    assert run_state(plan, tmp_path) == "failed"
    write_plan(tmp_path, JOBS, cores=None)  # the next one
    assert not (tmp_path / END).exists()
    write_end(tmp_path, "finished")
    assert run_state(plan, tmp_path) == "finished"


def test_a_run_whose_process_has_gone_was_killed(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from lib.runs.plan import write_plan;"
        f"write_plan(Path({str(tmp_path)!r}), [], cores=1)"
    )
    scripts = Path(__file__).parents[4] / "scripts"
    subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(scripts)}, check=True)
    plan = read_plan(tmp_path)
    assert plan is not None
    assert run_state(plan, tmp_path) == "killed"
    # What another machine does cannot be seen from here.
    described = json.loads((tmp_path / FILE).read_text())
    described["process"] = "1 0.0 elsewhere"
    (tmp_path / FILE).write_text(json.dumps(described))
    plan = read_plan(tmp_path)
    assert plan is not None
    assert run_state(plan, tmp_path) == "running"
