"""The training loop on a tiny model: padding, determinism, resuming, stopping, refusing nonsense."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest
import torch

from lib import training
from lib.arrow import IGNORED_LABEL, TokenWriter, read_tokens
from lib.checksums import sha256_file
from lib.errors import UserError
from lib.manifest import read_json, write_json, write_manifest
from lib.settings.training import TrainingSettings
from lib.training import STOPPED, Run, train
from tiny_model import make_tiny_model

SETTINGS = {"max_steps": 6, "eval_steps": 2, "save_steps": 2, "logging_steps": 1, "rank": 4, "precision": "fp32"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    make_tiny_model(tmp_path / "model")
    write_manifest(tmp_path / "model", inputs={}, counts={})
    (tmp_path / "data").mkdir()
    random = torch.Generator().manual_seed(0)
    for split, rows in (("train", 10), ("validation", 3)):
        with TokenWriter(tmp_path / "data" / f"{split}.arrow", ["input_ids", "labels"]) as writer:
            for row in range(rows):
                ids = torch.randint(3, 200, (8 + row,), generator=random).tolist()
                writer.add(input_ids=ids, labels=[IGNORED_LABEL, IGNORED_LABEL, *ids[2:]])
    write_manifest(tmp_path / "data", inputs={}, counts={})
    return Run(
        stage="sft",
        settings=TrainingSettings.model_validate(SETTINGS),
        seed=1,
        gpu=0,
        model=tmp_path / "model" / "manifest.json",
        data=tmp_path / "data" / "manifest.json",
        work=tmp_path / "work",
        output=tmp_path / "adapter" / "manifest.json",
    )


def execute(run: Run) -> str:
    """Train, and return the adapter's checksum."""
    data = run.data.parent
    train(run, read_tokens(data / "train.arrow"), read_tokens(data / "validation.arrow"), by_length=True)
    return sha256_file(run.output.parent / "adapter_model.safetensors")


def with_settings(run: Run, **changes: object) -> Run:
    settings = TrainingSettings.model_validate(run.settings.model_dump() | changes)
    return dataclasses.replace(run, settings=settings)


def test_two_runs_are_identical_and_clean_up(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    first = execute(run)
    manifest = read_json(run.output)
    assert execute(run) == first
    assert read_json(run.output) == manifest
    assert not list(run.work.rglob("checkpoint-*"))
    log = pd.read_csv(run.output.parent / "trainer_log.tsv", sep="\t")
    assert log["eval_loss"].dropna().min() == pytest.approx(manifest["counts"]["best_validation_loss"])
    assert re.search(r"sft: step 6/6  loss [\d.]+  learning rate [\d.e+-]+  [\d,]+ tokens/s", capsys.readouterr().out)


def test_stopped_run_goes_on_to_the_same_bits(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    undisturbed = execute(run)
    with pytest.raises(SystemExit) as stopped:
        execute(with_settings(run, max_minutes=1e-9))
    assert stopped.value.code == STOPPED
    assert "stopped by max_minutes at step 1" in capsys.readouterr().out
    assert execute(run) == undisturbed
    assert "going on from" in capsys.readouterr().out


def test_changed_settings_or_data_start_afresh(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        execute(with_settings(run, max_minutes=1e-9))
    execute(with_settings(run, learning_rate=1e-3))
    write_json(run.data, read_json(run.data) | {"counts": {"changed": 1}})
    execute(run)
    assert "going on from" not in capsys.readouterr().out


def test_infinite_loss_stops_the_run(run: Run) -> None:
    with pytest.raises(
        UserError, match=r"the loss is (nan|inf); look at the rows in \S+bad_batch\.jsonl, lower sft\.learning_rate"
    ):
        execute(with_settings(run, learning_rate=1e30, max_grad_norm=1e30, schedule="constant"))
    assert not run.output.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_checkpointing": True},
        {"quantization": "8bit"},
        {"quantization": "4bit"},
        {"quantization": "4bit", "gradient_checkpointing": True, "precision": "bf16"},
        {"gradient_accumulation": 2, "schedule": "constant", "dropout": 0.1},
    ],
    ids=lambda changes: ", ".join(map(str, changes.items())),
)
def test_ways_to_train(run: Run, changes: dict[str, object]) -> None:
    execute(with_settings(run, max_steps=2, **changes))
    assert read_json(run.output)["counts"]["best_step"] == 2


def test_checkpointing_computes_the_same(run: Run) -> None:
    execute(run)
    losses = read_json(run.output)["counts"]["best_validation_loss"]
    execute(with_settings(run, gradient_checkpointing=True))
    assert read_json(run.output)["counts"]["best_validation_loss"] == pytest.approx(losses, abs=1e-5)


def test_gpu_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="gpu is 1, but no GPU can be used"):
        execute(dataclasses.replace(run, gpu=1))


def test_nothing_to_train_on(run: Run) -> None:
    data = read_tokens(run.data.parent / "train.arrow").select([])
    with pytest.raises(UserError, match="no text; add some"):
        training.require_examples(data, "text", "add some")
