"""What another run has finished in the same way is taken over, anything else is not, and no run changes another's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.outputs import new_directory, new_file
from lib.runs.sharing import files_of, link
from workspace import PROJECT, quiet_environment

SNAKEFILE = """
import sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
from lib.runs.sharing import take_over

ROOT, RUN = Path.cwd(), config["run"]
workdir: f"runs/{{RUN}}"

rule copy:
    input: "../../data/text"
    output: "results/copy/{{source}}"
    log: "logs/copy/{{source}}.log"
    benchmark: "benchmarks/copy/{{source}}.tsv"
    params: value=config["first"]
    shell: "cp {{input}} {{output}}; echo {{params.value}} | tee -i {{log}}"

rule sum:
    input: "results/copy/one", two="results/copy/one"
    output: "results/sum/manifest.json"
    params: value=config["second"]
    shell: "cat {{input.two}} > results/sum/weights; echo '{{{{\\"files\\": {{{{\\"weights\\": 1}}}}}}}}' > {{output}}"

take_over(workflow, ROOT, RUN)
"""


class Project:
    """A small workflow of two steps, and runs of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data").mkdir()
        (root / "data" / "text").write_text("text")
        (root / "Snakefile").write_text(SNAKEFILE.format(scripts=str(PROJECT / "scripts")))

    def run(self, name: str, *options: str, first: int = 1, second: int = 1) -> str:
        settings = ["--config", f"run={name}", f"first={first}", f"second={second}"]
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--max-checksum-file-size", "1GB", *options]
        finished = subprocess.run(
            [*command, *settings, "--", "results/sum/manifest.json"],
            cwd=self.root,
            env=quiet_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=True,
        )
        return finished.stdout

    def file(self, run: str, path: str) -> Path:
        return self.root / "runs" / run / path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.run("a")
    return project


def test_all_of_an_equal_run_is_taken_over(project: Project) -> None:
    (project.file("a", "results/sum/other")).write_text("not the manifest's")
    output = project.run("b")
    assert "Taken from runs/a, where nothing differs: copy, sum" in output
    assert "Nothing to be done" in output
    for path in ("results/copy/one", "results/sum/weights", "results/sum/manifest.json"):
        assert project.file("a", path).samefile(project.file("b", path))
    assert not project.file("b", "results/sum/other").exists()
    for path in ("logs/copy/one.log", "benchmarks/copy/one.tsv"):
        assert project.file("a", path).read_text() == project.file("b", path).read_text()
        assert not project.file("a", path).samefile(project.file("b", path))
    assert "Taken" not in project.run("b")


def test_what_differs_is_computed_and_leaves_the_other_run_alone(project: Project) -> None:
    assert "where nothing differs: copy\n" in project.run("b", second=2)
    before = {path: path.read_bytes() for path in project.file("a", ".").rglob("*") if path.is_file()}
    output = project.run("b", first=2, second=2)
    assert "rule copy" in output
    assert "rule sum" in output
    assert {path: path.read_bytes() for path in project.file("a", ".").rglob("*") if path.is_file()} == before
    assert project.file("b", "logs/copy/one.log").read_text() == "2\n"


def test_a_plan_is_the_same_as_the_run(project: Project) -> None:
    plan = project.run("b", "-n", second=2)
    assert "rule copy" not in plan
    assert "rule sum" in plan


def test_changed_input_is_not_taken_for_the_old(project: Project) -> None:
    (project.root / "data" / "text").write_text("TEXT")
    os.utime(project.root / "data" / "text", (0, 0))  # older than everything that was made of it
    assert "Taken" not in project.run("b", "-n")
    os.utime(project.root / "data" / "text")
    assert "Taken" not in project.run("b", "-n")


def test_results_of_steps_before_that_were_made_again_are_not_taken_for_the_old(project: Project) -> None:
    (project.root / "data" / "text").write_text("TEXT")
    project.run("a", "--until", "copy")  # what follows from it is still the old text's
    output = project.run("b")
    assert "where nothing differs: copy\n" in output
    assert project.file("b", "results/sum/weights").read_text() == "TEXT"


@pytest.mark.parametrize("where", ["a", "b"])
@pytest.mark.fault
def test_what_a_running_snakemake_makes_is_left_to_it(project: Project, where: str) -> None:
    locks = project.file(where, ".snakemake/locks")
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("results/copy/one\nresults/sum/manifest.json\n")
    assert "Taken" not in project.run("b", "-n", "--nolock")


@pytest.mark.fault
def test_what_an_interrupted_job_left_is_not_taken(project: Project) -> None:
    (record,) = project.file("a", ".snakemake/metadata").glob("cmVzdWx0cy9jb3B5*")
    (project.file("a", ".snakemake/incomplete") / record.name).write_text("{}")
    assert "Taken" not in project.run("b", "-n")


@pytest.mark.fault
def test_a_file_on_another_file_system_is_copied(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    source = memory / f"{tmp_path.name}-{os.getpid()}"
    source.write_text("text")
    try:
        link(source, tmp_path / "deep" / "target")
        assert (tmp_path / "deep" / "target").read_text() == "text"
        assert (tmp_path / "deep" / "target").stat().st_mtime == source.stat().st_mtime
    finally:
        source.unlink()


def test_outputs_are_replaced_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    link(tmp_path / "a", tmp_path / "b")
    with new_file(tmp_path / "b") as path:
        path.write_text("b")
    link(tmp_path / "a", tmp_path / "folder" / "c")
    with new_directory(tmp_path / "folder") as folder:
        (folder / "c").write_text("c")
    assert [(tmp_path / name).read_text() for name in ("a", "b", "folder/c")] == ["a", "b", "c"]


def test_files_of_an_output(tmp_path: Path) -> None:
    for name in ("model/weights", "model/extra", "tokenizer/vocabulary", "tokenizer/sweep.tsv", "one.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "tokenizer" / "manifest.json").write_text(json.dumps({"files": {"vocabulary": {}}}))
    assert files_of(tmp_path, "one.json") == [Path("one.json")]
    assert files_of(tmp_path, "model") == [Path("model/extra"), Path("model/weights")]
    listed, manifest = Path("tokenizer/vocabulary"), Path("tokenizer/manifest.json")
    assert files_of(tmp_path, "tokenizer/manifest.json") == [listed, manifest]
    (tmp_path / "tokenizer" / "made_with.json").touch()
    made_with = Path("tokenizer/made_with.json")  # of the run that made it
    assert files_of(tmp_path, "tokenizer/manifest.json") == [listed, made_with, manifest]
