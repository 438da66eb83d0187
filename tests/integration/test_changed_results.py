"""Results that somebody changed are refused with one line, and what the user put among them is kept."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.core.outputs import read_json
from workspace import Workspace, with_options

RESULTS = Path("results")


def change_last_byte(path: Path, *, unseen: bool = False) -> None:
    """Change a file without changing its size; `unseen`, without changing its time either."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if unseen:
        os.utime(path, ns=times)


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "file", "said"),
    [
        (change_last_byte, "extended_model/model.safetensors", "describes: sha256 "),
        (change_last_byte, "tokenizer/tokenizer.json", "describes: sha256 "),
        (remove, "pretrain_lora/adapter_model.safetensors", "describes: it is missing; "),
        (empty, "sft_model", "has no manifest.json, so it is not whole; "),
    ],
)
@pytest.mark.fault
def test_a_plan_refuses_what_was_changed(done: Workspace, change: Callable[[Path], None], file: str, said: str) -> None:
    assert "Nothing to be done" in done.make("-n")
    change(done.root / RESULTS / file)
    plan = done.snakemake("-n")
    assert plan.status == 1
    assert len(plan.errors) == 1, plan.output
    assert f"results/{file} " in plan.errors[0]
    assert said in plan.errors[0]
    assert "Traceback" not in plan.output


@pytest.mark.fault
def test_training_refuses_weights_and_data_that_were_changed(done: Workspace, commands: dict[str, list[str]]) -> None:
    command = with_options(commands["pretrain"], output=done.root / "elsewhere" / "manifest.json")
    for file in ("extended_model/model.safetensors", "pretrain_data/train.arrow"):
        path = done.root / RESULTS / file
        content = path.read_bytes()
        change_last_byte(path, unseen=True)
        finished = done.run(*command)
        path.write_bytes(content)
        assert finished.status == 1
        assert len(finished.errors) == 1, finished.output
        assert f"results/{file} is not the file that " in finished.errors[0]
    assert not (done.root / "elsewhere").exists()


@pytest.mark.fault
def test_encoding_refuses_a_shard_that_was_changed(done: Workspace) -> None:
    shard = "results/corpus/train/stories/0000.parquet"
    change_last_byte(done.root / shard)
    run = done.snakemake("--forcerun", "pretrain_tokens", "--", "results/pretrain_tokens/train/stories/0000.arrow")
    assert run.status == 1
    assert any(line.startswith(f"error: {shard} is not the file that ") for line in run.errors), run.output


@pytest.mark.fault
def test_a_folder_of_the_users_is_never_removed(done: Workspace) -> None:
    tokenizer = done.root / RESULTS / "tokenizer"
    shutil.rmtree(tokenizer)
    tokenizer.mkdir()
    (tokenizer / "tokenizer.json").write_text("my own", encoding="utf-8")
    run = done.snakemake()
    assert run.status == 1
    assert len(run.errors) == 1
    assert run.errors[0].startswith("error: results/tokenizer/tokenizer.json was not made by this run, which would ")
    assert "tokenizer.uri" in run.errors[0]
    assert (tokenizer / "tokenizer.json").read_text(encoding="utf-8") == "my own"
    assert "Traceback" not in run.output


@pytest.mark.fault
def test_a_note_in_the_finished_model_is_never_removed(done: Workspace) -> None:
    note = done.root / RESULTS / "sft_model" / "note.txt"
    note.write_text("mine", encoding="utf-8")
    assert "Nothing to be done" in done.make()
    run = done.snakemake("--forcerun", "sft_model")
    assert run.status == 1
    assert len(run.errors) == 1
    assert run.errors[0].startswith("error: results/sft_model/note.txt was not made by this run")
    assert note.read_text(encoding="utf-8") == "mine"
    note.unlink()
    done.make("--forcerun", "sft_model", "-n")


@pytest.mark.fault
def test_what_a_failed_job_left_is_replaced(done: Workspace) -> None:
    """Snakemake removes the manifest before the job, so the old folder stays without one when the job fails."""
    manifest = done.root / RESULTS / "tokenizer" / "manifest.json"
    before = read_json(manifest)
    sheet = done.root / "data" / "words.txt"
    done.configure(tokenizer={"words": "data/words.txt"})
    sheet.write_bytes(b"\xff\xfe\x00")  # no text
    assert done.snakemake("results/tokenizer/manifest.json").status == 1
    assert not manifest.exists()
    assert (manifest.parent / "tokenizer.json").is_file()
    done.configure(tokenizer={"words": None})
    done.make("results/tokenizer/manifest.json")
    assert read_json(manifest)["files"] == before["files"]
