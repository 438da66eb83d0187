"""The whole pipeline as jobs of a real SLURM, through the profile that users get."""

import re

from slurm_jobs import on_slurm, slurm
from workspace import Finished, Workspace


def test_two_nodes_are_up() -> None:
    nodes = slurm("sinfo", "--partition=test", "--noheader", "--Node", "--format=%T")
    assert re.fullmatch(r"(idle|mixed|allocated)\n(idle|mixed|allocated)", nodes), nodes


def test_every_job_runs_on_the_cluster(workspace: Workspace, run: Finished) -> None:
    assert run.status == 0, run.output
    submitted = re.findall(r"Job \d+ has been submitted with SLURM jobid (\d+)", run.output)
    finished = re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)$", run.output, re.MULTILINE)
    assert len(set(submitted)) == len(finished) > 15
    assert (workspace.root / "results" / "sft_model" / "model.safetensors").is_file()


def test_training_gets_the_processors_that_it_asked_for(workspace: Workspace, run: Finished) -> None:
    assert run.status == 0, run.output
    (log,) = (workspace.root / ".snakemake" / "slurm_logs" / "rule_pretrain").rglob("*.log")
    assert "threads: 2" in log.read_text(encoding="utf-8")


def test_afterwards_nothing_is_left_to_do_on_this_machine(workspace: Workspace, run: Finished) -> None:
    assert run.status == 0, run.output
    assert "Nothing to be done" in workspace.make("results/sft_model")


def test_points_of_a_sweep_are_jobs_of_the_cluster(workspace: Workspace, run: Finished) -> None:
    assert run.status == 0, run.output
    workspace.configure(sweep={"points": [{"pretrain.rank": 2}], "max_steps": 4, "max_characters": 2_000})
    sweep = workspace.run(*on_slurm("--", "results/sweep/best.yaml", sweep_pretrain=1, sweep_evaluate=1))
    assert sweep.status == 0, sweep.output
    submitted = re.findall(r"Job \d+ has been submitted with SLURM jobid (\d+)", sweep.output)
    # Two points, trained and scored, and the table.
    assert len(set(submitted)) == 5
    assert (workspace.root / "results" / "sweep" / "table.tsv").is_file()
