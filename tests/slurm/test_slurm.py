"""The whole pipeline as jobs of a real SLURM, through the profile that users get."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from slurm_jobs import job_in, on_slurm, slurm, started_on_slurm
from workspace import Finished, Workspace, with_options

ADAPTER = "results/pretrain_lora/manifest.json"
WAIT = 600  # seconds


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


@pytest.mark.fault
def test_training_on_two_nodes_goes_on_after_its_job_was_cancelled(workspace: Workspace) -> None:
    workspace.make("results/extended_model/manifest.json", "results/pretrain_data/manifest.json")
    config = workspace.root / "config" / "demo.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "nodes: 2\n", encoding="utf-8")
    workspace.configure(pretrain={"max_steps": 400, "learning_rate": 0.003, "precision": "fp32"})
    # As on a cluster that keeps no accounts.
    options = ("--slurm-status-command", "squeue", "--slurm-no-account")
    process = started_on_slurm(workspace, *options, "--", ADAPTER)
    workspace.wait_for_checkpoint(process)
    number = job_in(workspace.root)
    assert slurm("squeue", "--noheader", "--format=%D", "--jobs", number) == "2"
    slurm("scancel", number)
    output, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 0, output
    assert "Trying to restart job" in output
    assert "pretrain: going on from" in (workspace.root / "logs" / "pretrain.log").read_text(encoding="utf-8")
    manifest = json.loads((workspace.root / ADAPTER).read_text(encoding="utf-8"))
    assert manifest["facts"]["processes"] == 2

    words = workspace.command("pretrain", ADAPTER)
    options = {"settings": {"gradient_accumulation": 2}, "nodes": "1", "output": "alone/manifest.json"}
    alone = workspace.run(*with_options(words, **options))
    assert alone.status == 0, alone.output
    curves = [
        pd.read_csv(workspace.root / path, sep="\t")["eval_loss"]
        for path in ("alone/trainer_log.tsv", "results/pretrain_lora/trainer_log.tsv")
    ]
    np.testing.assert_allclose(*curves, atol=1e-3)
