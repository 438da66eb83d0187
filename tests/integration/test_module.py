"""Another workflow uses this one as a module, with a prefix and from a folder of its own."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from workspace import SETTINGS, Workspace, jobs

SNAKEFILE = """
import json
from pathlib import Path


rule all:
    input:
        "adapted/results/{target}",
        "own.txt",
    default_target: True


rule own:
    output:
        "own.txt",
    shell:
        "echo {{output}} > {{output}}"


module graftline:
    snakefile:
        "{project}/Snakefile"
    config:
        json.loads(Path("adapt.json").read_text())
    prefix:
        "adapted"


use rule * from graftline as graftline_*
"""


@pytest.fixture
def host(untouched: Workspace, tmp_path: Path) -> Workspace:
    """A workflow in another folder than the project, with data and settings beside it."""
    root = tmp_path / "host"
    (root / "config").mkdir(parents=True)
    shutil.copytree(untouched.root / "data", root / "data")
    for name in ("corpus.tsv", "instructions.tsv"):
        shutil.copy(untouched.root / "config" / name, root / "config")
    (root / "adapt.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return Workspace(root)


def write_snakefile(host: Workspace, untouched: Workspace, target: str) -> None:
    text = SNAKEFILE.format(project=untouched.root, target=target)
    (host.root / "Snakefile").write_text(text, encoding="utf-8")


def test_a_module_plans_all_jobs_in_its_folder(host: Workspace, untouched: Workspace) -> None:
    write_snakefile(host, untouched, "sft_model")
    plan = host.make("-n", "-p")
    planned = set(jobs(plan))
    assert {"own", "graftline_pretrain", "graftline_sft", "graftline_sft_model"} <= planned
    assert "graftline_clean source=stories, shard=0000" in planned
    assert f"(cd adapted && GRAFTLINE_ROOT=.. python {untouched.root}/scripts/sft_model.py " in plan
    assert "tee -i adapted/logs/sft_model.log" in plan
    alone = {job for job in untouched.planned("results/sft_model") if job != "report"}
    assert {job.removeprefix("graftline_") for job in planned} == alone | {"own"}


def test_a_module_runs_in_its_folder(host: Workspace, untouched: Workspace) -> None:
    write_snakefile(host, untouched, "corpus/manifest.json")
    host.make()
    made = {path.name for path in host.root.iterdir()}
    assert made == {"Snakefile", "adapt.json", "config", "data", "own.txt", "adapted", ".snakemake"}
    assert {path.name for path in (host.root / "adapted").iterdir()} >= {"results", "logs", "benchmarks"}
    assert json.loads((host.root / "adapted/results/corpus/manifest.json").read_text())["counts"]["train"]["documents"]
    assert "Nothing to be done" in host.make("-n")
    # It is the same as what the workflow makes by itself.
    verified = host.run(sys.executable, untouched.root / "scripts/verify_files.py", "--results", "adapted/results")
    assert verified.status == 0, verified.output
