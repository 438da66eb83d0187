"""Runs by name: each has its own folder, and what two have in common is computed once."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml

from workspace import Finished, Workspace

DEMO = ("--configfile", "config/demo.yaml")


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below `folder`."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def named(done: Workspace) -> Workspace:
    """A workspace in which the run `a` has all results, and the demo none any more."""
    (done.root / "a.yaml").write_text(yaml.safe_dump({"pretrain": {"rank": 4}}), encoding="utf-8")
    assert done.planned(*DEMO, "a.yaml", "--", "results/sft_model") == set()
    for folder in ("results", "logs", "benchmarks", "work", ".snakemake"):
        shutil.rmtree(done.root / folder)
    return done


def test_another_rank_trains_again_and_computes_nothing_before_it(named: Workspace) -> None:
    before = contents(named.root / "runs" / "a")
    (named.root / "b.yaml").write_text(yaml.safe_dump({"pretrain": {"rank": 8}}), encoding="utf-8")
    planned = named.planned(*DEMO, "b.yaml", "--", "results/sft_model")
    models = {f"evaluate model={model}" for model in ("pretrained", "finetuned")}
    assert planned == {"pretrain", "pretrain_model", "sft", "sft_model", "scores"} | models

    # What is computed again in one run stays as it was in the other.
    (named.root / "fewer.yaml").write_text(yaml.safe_dump({"run": "b", "tokenizer": {"new_tokens": 20}}))
    named.make(*DEMO, "b.yaml", "fewer.yaml", "--", "results/tokenizer/manifest.json")
    assert contents(named.root / "runs" / "a") == before
    names = ("tokenizer.json", "manifest.json")
    first, second = (named.root / "runs" / run / "results" / "tokenizer" for run in "ab")
    assert all((first / name).read_bytes() != (second / name).read_bytes() for name in names)


@pytest.mark.fault
def test_a_moved_project_has_nothing_to_make(named: Workspace, tmp_path: Path) -> None:
    moved = Workspace(tmp_path / "elsewhere")
    named.root.rename(moved.root)
    assert moved.planned(*DEMO, "a.yaml", "--", "results/sft_model") == set()


def test_a_job_that_snakemake_starts_elsewhere_finds_its_run(named: Workspace) -> None:
    """The command line that a cluster's job gets: where the command was given, with absolute settings files."""
    manifest = named.root / "runs" / "a" / "results" / "sft_data" / "manifest.json"
    before = manifest.read_bytes()
    manifest.unlink()
    files = [str(named.root / name) for name in ("config/demo.yaml", "a.yaml")]
    job = ("--target-jobs", "sft_data:", "--allowed-rules", "sft_data", "--force", "--nolock", "--ignore-incomplete")
    named.make(*job, "--target-files-omit-workdir-adjustment", "--mode", "remote", "--configfiles", *files)
    assert manifest.read_bytes() == before
    assert not list(named.root.glob("runs/*/runs"))


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (None, ("settings.yaml does not exist",)),
        ("", ("settings.yaml is empty",)),
        ("gpu: 0\ngpu: 0\n", ("settings.yaml, line 2", "'gpu' is already on line 1")),
        ("gpu: 0\n", ("base_model is required",)),
    ],
)
@pytest.mark.fault
def test_a_broken_settings_file_ends_make_with_one_line(
    untouched: Workspace, tmp_path: Path, content: str | None, names: tuple[str, ...]
) -> None:
    path = tmp_path / "settings.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    finished: Finished = untouched.run(sys.executable, "scripts/run_folder.py", path)
    assert finished.status == 1
    assert finished.output.splitlines() == finished.errors
    for name in names:
        assert name in finished.output


@pytest.mark.fault
def test_a_source_that_is_gone_is_listed_and_removed(done: Workspace) -> None:
    before = done.files()
    done.write_sheet("corpus", stories="data/stories.jsonl")
    listed = done.run(sys.executable, "scripts/prune.py")
    assert listed.status == 0, listed.output
    assert "results/corpus/clean/letters\n" in listed.output
    assert "stories" not in listed.output
    assert done.files() == before
    removed = done.run(sys.executable, "scripts/prune.py", "--remove")
    assert removed.output.splitlines()[:-1] == listed.output.splitlines()[:-1]
    assert {path for path in before - done.files() if "/letters" not in path} == set()
    assert not [path for path in done.files() if "/letters" in path]
    assert "nothing is left" in done.run(sys.executable, "scripts/prune.py").output
