"""The tests here need a SLURM, which `.ci/run` sets up (setup.sh); elsewhere they are not collected."""

import os

import pytest

from slurm_jobs import on_slurm
from workspace import Finished, Workspace, make_workspace

collect_ignore_glob = [] if os.environ.get("SLURM_TESTS") == "1" else ["test_*.py"]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_workspace(tmp_path_factory.mktemp("slurm") / "project")
    workspace.configure(corpus={"shards": 1})
    workspace.write_sheet("corpus", stories="data/stories.jsonl")
    return workspace


@pytest.fixture(scope="session")
def run(workspace: Workspace) -> Finished:
    """The whole pipeline, every job of it on the cluster."""
    return workspace.run(*on_slurm("--", "results/sft_model"))
