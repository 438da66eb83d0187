"""The whole pipeline as jobs of a real SLURM, through the profile that users get."""

import re
import subprocess
import sys

import pytest

from workspace import Finished, Workspace, make_workspace

# Of this test's node alone: it keeps no accounts, has few processors, and nobody waits in its queue.
OPTIONS = ["--slurm-status-command", "squeue", "--slurm-no-account", "--slurm-keep-successful-logs"]
OPTIONS += ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"]
OPTIONS += ["--latency-wait", "10", "--set-threads", "evaluate=1", "pretrain=2", "sft=2"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_workspace(tmp_path_factory.mktemp("slurm") / "project")
    workspace.configure(corpus={"shards": 1})
    workspace.write_sheet("corpus", stories="data/stories.jsonl")
    return workspace


@pytest.fixture(scope="module")
def run(workspace: Workspace) -> Finished:
    profile = ("--workflow-profile", "profiles/slurm")
    return workspace.run(sys.executable, "-m", "snakemake", *profile, *OPTIONS, "--", "results/sft_model")


def test_a_node_is_up() -> None:
    nodes = subprocess.run(["sinfo", "--noheader", "--format", "%T"], capture_output=True, text=True, check=True)
    assert re.search(r"^(idle|mixed|allocated)$", nodes.stdout, re.MULTILINE), nodes.stdout


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
