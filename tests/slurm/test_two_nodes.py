"""Training on two nodes of a cluster without accounts. A file of its own, so that it runs beside the others."""

import json

import numpy as np
import pandas as pd
import pytest

from slurm_jobs import job_in, slurm, started_on_slurm
from workspace import Workspace, with_options

ADAPTER = "results/pretrain_lora/manifest.json"
WAIT = 600  # seconds


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
