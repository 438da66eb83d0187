"""A training run on a tiny model: determinism, resuming, stopping, every way to train, refusing nonsense."""

import dataclasses
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lib.core.errors import DivergedError, UserError
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json, sha256_file, write_json
from lib.distributed.launcher import STOPPED
from lib.extended_model.rows import add_rows
from lib.models.loading import load_model
from lib.settings.training import RESOLVED, LoopSettings, TrainingSettings
from lib.tokens.order import ORDER_FILE
from lib.tokens.token_files import IGNORED_LABEL, TokenWriter, read_tokens
from lib.training.callbacks import KeepBest
from lib.training.checkpoints import SEAL
from lib.training.layers import compilation
from lib.training.run import Run
from lib.training.train import require_examples, train
from lib.training.trainer import StageTrainer
from tiny_model import make_tiny_model

SETTINGS = {
    "max_steps": 6,
    "eval_steps": 2,
    "save_steps": 2,
    "logging_steps": 1,
    "rank": 4,
    "learning_rate": 1e-2,
    "precision": "fp32",
}
# Steps too small to change a weight: the validation loss stays what it is at the start.
STANDSTILL = {"learning_rate": 1e-30, "schedule": "constant", "allow_worse": True}
SOURCES = ("poems", "letters", "poems")


def write_model(directory: Path) -> None:
    """A tiny model with two new rows."""
    make_tiny_model(directory)
    model = load_model(directory)
    new = [model.config.vocab_size, model.config.vocab_size + 1]
    add_rows(model, {new[0]: [1, 2], new[1]: [3, 4]}, "mean", torch.Generator())
    model.save_pretrained(directory)
    write_manifest(directory, inputs={}, counts={}, facts={"new_token_ids": new})


def write_data(directory: Path) -> None:
    """Ten rows to train on and three held out, of two sources, that count round a circle; two labels are masked."""
    directory.mkdir()
    random = torch.Generator().manual_seed(0)
    for split, rows in (("train", 10), ("validation", 3)):
        texts = ["source"] if split == "validation" else []
        with TokenWriter(directory / f"{split}.arrow", ["input_ids", "labels"], texts=texts) as writer:
            for row in range(rows):
                start = int(torch.randint(20, (), generator=random))
                ids = [3 + (start + position) % 20 for position in range(8 + row)]
                named = {"source": SOURCES[row]} if texts else {}
                writer.add(input_ids=ids, labels=[IGNORED_LABEL, IGNORED_LABEL, *ids[2:]], **named)
    write_manifest(directory, inputs={}, counts={})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    write_model(tmp_path / "model")
    write_data(tmp_path / "data")
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


def execute(run: Run) -> dict[str, Any]:
    """Train, and return the manifest of what was published."""
    data = run.data.parent
    train(run, read_tokens(data / "train.arrow"), read_tokens(data / "validation.arrow"), by_length=True)
    manifest: dict[str, Any] = read_json(run.output)
    return manifest


def with_settings(run: Run, **changes: object) -> Run:
    settings = TrainingSettings.model_validate(run.settings.model_dump() | changes)
    return dataclasses.replace(run, settings=settings)


def log(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.output.parent / "trainer_log.tsv", sep="\t")


def at_step(step: int, action: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next run do something at the end of a step."""

    class Act(KeepBest):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                action()

    monkeypatch.setattr("lib.training.train.KeepBest", Act)


def interrupt(run: Run, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End a run at once in the middle of a step, as a crash would."""

    def crash() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        at_step(step, crash, patch)
        with pytest.raises(KeyboardInterrupt):
            execute(run)


def test_two_runs_are_identical_and_clean_up(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    first = execute(run)
    assert execute(run) == first
    assert not list(run.work.rglob("checkpoint-*"))
    assert log(run)["eval_loss"].dropna().min() == pytest.approx(first["counts"]["best_validation_loss"])
    output = capsys.readouterr().out
    assert re.search(r"sft: step 6/6  loss [\d.]+  learning rate [\d.e+-]+  [\d,]+ tokens/s  \d+ s left", output)
    assert re.search(r"padding is \d+\.\d% of the positions, \d+\.\d% of the tokens are masked", output)


@pytest.mark.parametrize("step", [1, 3, 5])
@pytest.mark.fault
def test_crashed_run_goes_on_to_the_same_bits(run: Run, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run = with_settings(run, dropout=0.1, neftune_noise_alpha=5, logging_steps=3, optimizer="adamw_8bit")
    goes_on_to_the_same_bits(run, step, monkeypatch)


@pytest.mark.slow
@pytest.mark.fault
def test_crashed_run_with_compiled_layers_goes_on_to_the_same_bits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "BACKEND", "aot_eager")  # which builds nothing, so needs no compiler
    monkeypatch.setattr(compilation, "_missing", lambda: None)
    goes_on_to_the_same_bits(with_settings(run, compile=True, gradient_checkpointing=True), 3, monkeypatch)


def goes_on_to_the_same_bits(run: Run, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = execute(run)
    interrupt(run, step, monkeypatch)
    torch.compiler.reset()  # as in the process that goes on
    assert execute(run) == undisturbed


@pytest.mark.parametrize("embeddings", ["all", "new_rows"])
@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.fault
def test_stopped_run_goes_on_to_the_same_bits(
    run: Run, method: str, embeddings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = with_settings(run, method=method, embeddings=embeddings, logging_steps=2)
    undisturbed = execute(run)
    for step in (1, 2):
        with pytest.raises(SystemExit) as stopped:
            execute(with_settings(run, max_minutes=1e-9))
        assert stopped.value.code == STOPPED
        assert f"stopped by max_minutes at step {step}" in capsys.readouterr().out
    assert execute(run) == undisturbed
    assert "going on from" in capsys.readouterr().out


def test_told_to_stop_it_saves_first(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = execute(run)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM), patch)
        execute(run)
    assert "stopped by SIGTERM at step 3" in capsys.readouterr().out
    assert list(run.work.rglob("checkpoint-3"))
    assert execute(run) == undisturbed


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "optimizer.pt", "rng_state.pth", SEAL])
@pytest.mark.fault
def test_torn_checkpoint_gives_way_to_the_one_before(
    run: Run, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = execute(run)
    interrupt(run, 5, monkeypatch)
    (newest,) = run.work.rglob("checkpoint-4")
    (newest / name).write_bytes((newest / name).read_bytes()[:-7])
    assert execute(run) == undisturbed
    output = capsys.readouterr().out
    assert "checkpoint-4 is damaged" in output
    assert re.search(r"going on from \S+checkpoint-2", output)


@pytest.mark.fault
def test_crashed_while_publishing_it_does_not_train_on(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = with_settings(run, max_steps=12, early_stopping_patience=2, **STANDSTILL)
    undisturbed = execute(run)
    assert (undisturbed["counts"]["best_step"], undisturbed["counts"]["steps"]) == (2, 4)
    with monkeypatch.context() as patch:
        patch.setattr("lib.training.train._publish", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            execute(run)
    capsys.readouterr()
    assert execute(run) == undisturbed
    output = capsys.readouterr().out
    assert re.search(r"all steps are done in \S+checkpoint-4; there is nothing left to train", output)
    assert "going on from" not in output


@pytest.mark.fault
def test_a_checkpoint_without_weights_is_not_published(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("lib.training.train._publish", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            execute(run)
    for seal in run.work.rglob(SEAL):
        (seal.parent / WEIGHTS).unlink()
        write_json(seal, {name: checksum for name, checksum in read_json(seal).items() if name != WEIGHTS})
    with pytest.raises(UserError, match=r"checkpoint-\d has no weights; remove \S+ and run again"):
        execute(run)
    assert not run.output.exists()


WEIGHTS = "adapter_model.safetensors"
CHANGED = {
    "model": "another model",
    "data": "other data",
    "seed": "seed 1 (now 2)",
    "learning_rate": "learning_rate 0.01 (now 0.001)",
    "max_steps": "steps 6 (now 8)",
}


@pytest.mark.parametrize("changed", CHANGED)
def test_what_shapes_the_weights_starts_afresh_and_is_named(
    run: Run, changed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(run, 3, monkeypatch)
    if changed == "model":
        model = load_model(run.model.parent)
        model.get_input_embeddings().weight.data[0] += 1
        model.save_pretrained(run.model.parent)
        write_manifest(run.model.parent, inputs={}, counts={})
    elif changed == "data":
        rows = list(read_tokens(run.data.parent / "train.arrow"))
        with TokenWriter(run.data.parent / "train.arrow", ["input_ids", "labels"]) as writer:
            for row in rows:
                writer.add(input_ids=row["input_ids"][::-1], labels=row["labels"])
        write_manifest(run.data.parent, inputs={}, counts={})
    elif changed == "seed":
        run = dataclasses.replace(run, seed=2)
    else:
        run = with_settings(run, **{"learning_rate": {"learning_rate": 1e-3}, "max_steps": {"max_steps": 8}}[changed])
    execute(run)
    output = capsys.readouterr().out
    assert "going on from" not in output
    (line,) = re.findall(r"sft: checkpoints up to step 2 in \S+ were made with (.*); starting afresh", output)
    assert line == CHANGED[changed]


# For every key of `LoopSettings`, and for one that saves memory, another value than that of SETTINGS.
NOT_SHAPING: dict[str, Any] = {
    "logging_steps": 3,
    "eval_steps": 3,
    "early_stopping_patience": 5,
    "save_steps": 1,
    "save_total_limit": 9,
    "max_minutes": 60,
    "allow_worse": True,
    "report_to": ["tensorboard"],
    "gradient_checkpointing": True,
}


@pytest.mark.parametrize("key", NOT_SHAPING)
def test_what_does_not_shape_the_weights_goes_on_to_the_same_bits(
    run: Run, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "curves"))
    run = with_settings(run, dropout=0.1)
    expected = execute(run)["files"][WEIGHTS]
    interrupt(run, 3, monkeypatch)
    capsys.readouterr()
    assert execute(with_settings(run, **{key: NOT_SHAPING[key]}))["files"][WEIGHTS] == expected
    assert re.search(r"going on from \S+checkpoint-2", capsys.readouterr().out)


def test_every_key_is_known_to_shape_the_weights_or_not() -> None:
    assert set(LoopSettings.model_fields) == NOT_SHAPING.keys() - {"gradient_checkpointing"}
    shaping = set(TrainingSettings().shaping())
    assert shaping | NOT_SHAPING.keys() | RESOLVED == set(TrainingSettings.model_fields)
    assert not shaping & (NOT_SHAPING.keys() | RESOLVED)
    assert "gradient_checkpointing" in TrainingSettings(compile=True).shaping()


def test_a_resumed_run_logs_and_measures_as_its_settings_say_now(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(run, 3, monkeypatch)
    execute(with_settings(run, eval_steps=1, logging_steps=4))
    measured = log(run).set_index("step")
    assert measured["eval_loss"].dropna().index.tolist() == [0, 2, 3, 4, 5, 6]
    assert measured["loss"].dropna().index.tolist() == [1, 2, 4]


def test_the_start_is_measured(run: Run) -> None:
    manifest = execute(run)
    model = load_model(run.model.parent)
    nats, labels = 0.0, 0
    for row in read_tokens(run.data.parent / "validation.arrow"):
        logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1]
        wanted = torch.tensor(row["labels"][1:])
        nats += torch.nn.functional.cross_entropy(logits, wanted, ignore_index=IGNORED_LABEL, reduction="sum").item()
        labels += int((wanted != IGNORED_LABEL).sum())
    first = log(run).iloc[0]
    assert first["step"] == 0
    assert first["eval_loss"] == pytest.approx(nats / labels, abs=1e-5)
    assert manifest["counts"]["validation_loss_at_start"] == pytest.approx(first["eval_loss"])
    assert manifest["counts"]["best_validation_loss"] < first["eval_loss"]
    assert manifest["facts"]["worse_than_start"] is False


def test_measuring_the_start_changes_no_bit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run = with_settings(run, dropout=0.1, neftune_noise_alpha=5, allow_worse=True)
    measured = execute(run)
    evaluate = StageTrainer.evaluate

    def not_at_the_start(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step:
            return evaluate(self, *arguments, **options)
        self.log({"eval_loss": 0.0})
        return {"eval_loss": 0.0}

    monkeypatch.setattr(StageTrainer, "evaluate", not_at_the_start)
    assert execute(run)["files"][WEIGHTS] == measured["files"][WEIGHTS]


def test_a_run_worse_than_its_start_is_published_only_if_allowed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run = with_settings(run, learning_rate=3, schedule="constant", max_steps=2)
    with pytest.raises(UserError) as error:
        execute(run)
    start, best, step = re.fullmatch(
        r"sft: the validation loss never fell below its start: ([\d.]+) at the start, ([\d.]+) at best \(step (\d)\); "
        r"nothing is published\. Lower sft\.learning_rate \(3\), .*, or set sft\.allow_worse .*",
        str(error.value),
    ).groups()  # type: ignore[union-attr]
    assert float(best) > float(start)
    assert not run.output.exists()

    capsys.readouterr()
    manifest = execute(with_settings(run, allow_worse=True))
    output = capsys.readouterr().out
    assert "nothing left to train" in output
    assert "never fell below its start" in output
    assert manifest["facts"]["worse_than_start"] is True
    assert manifest["counts"]["best_step"] == int(step)
    assert manifest["counts"]["best_validation_loss"] == pytest.approx(float(best), abs=1e-4)
    assert manifest["counts"]["validation_loss_at_start"] == pytest.approx(float(start), abs=1e-4)


def test_as_many_steps_as_fit_into_a_time(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = with_settings(run, max_steps=None, minutes=0.002, allow_worse=True)
    clock = iter(range(100))
    with monkeypatch.context() as patch:  # a pass takes a second
        patch.setattr("lib.training.pace.time.perf_counter", lambda: next(clock))
        assert execute(run)["counts"]["steps"] == 1
        assert "1 steps fit into 0.002 minutes" in capsys.readouterr().out
        run = with_settings(run, minutes=0.1)
        interrupt(run, 3, monkeypatch)
    # Whatever the machine makes of the time now, the run goes on to the end that it began with.
    assert execute(run)["counts"]["steps"] == 6
    assert "going on from" in capsys.readouterr().out


def test_runs_are_called_by_name(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Each for real: text without a pattern is learned by heart, and a rate far too high throws the model off."""

    def verdict_on(**changes: object) -> dict[str, Any]:
        capsys.readouterr()
        found: dict[str, Any] = execute(with_settings(run, **changes))["facts"]["verdict"]
        assert f"sft: {found['sentence']}\n" in capsys.readouterr().out
        return found

    assert verdict_on(max_steps=6)["name"] == "still improving"
    # Before the third step: from there on such a model may be back at where a random one starts.
    thrown_off = verdict_on(max_steps=2, learning_rate=10, schedule="constant", allow_worse=True)
    assert (thrown_off["name"], thrown_off["step"]) == ("unstable", 0)

    random = np.random.default_rng(1)
    for split in ("train", "validation"):
        with TokenWriter(run.data.parent / f"{split}.arrow", ["input_ids", "labels"]) as writer:
            for _ in range(4):
                ids = random.integers(3, 300, size=24).tolist()
                writer.add(input_ids=ids, labels=ids)
    write_manifest(run.data.parent, inputs={}, counts={})
    overfitted = verdict_on(max_steps=40, method="full", eval_steps=4, allow_worse=True)
    assert overfitted["name"] == "overfits"
    losses = log(run).set_index("step")["eval_loss"].dropna()
    assert losses.idxmin() == overfitted["step"] < 40


def test_early_stopping_counts_from_the_start(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run = with_settings(run, max_steps=20, learning_rate=3, schedule="constant", early_stopping_patience=1)
    with pytest.raises(UserError, match="never fell below its start"):
        execute(run)
    assert re.findall(r"step +(\d+)/20  validation", capsys.readouterr().out) == ["0", "2"]


@pytest.mark.fault
def test_infinite_loss_stops_the_run_and_names_its_rows(run: Run) -> None:
    message = (
        r"step \d: the loss is (nan|inf) \(validation loss [\d.]+ at the start.*; look at the rows in (\S+), lower"
    )
    with pytest.raises(DivergedError, match=message) as error:
        execute(with_settings(run, learning_rate=1e30, max_grad_norm=1e30, schedule="constant", allow_worse=True))
    path = re.search(r"\S+bad_batch\.jsonl", str(error.value))
    assert path
    rows = [json.loads(line) for line in Path(path[0]).read_text(encoding="utf-8").splitlines()]
    data = read_tokens(run.data.parent / rows[0]["file"])
    assert rows
    assert all(row["input_ids"] == data[row["row"]]["input_ids"] for row in rows)
    assert not run.output.exists()


def test_a_model_that_computes_no_number_is_found_before_the_first_step(run: Run) -> None:
    model = load_model(run.model.parent)
    model.get_input_embeddings().weight.data.fill_(float("nan"))
    model.save_pretrained(run.model.parent)
    write_manifest(run.model.parent, inputs={}, counts={})
    with pytest.raises(
        UserError, match=r"before the first step, the validation loss is nan; nothing is published"
    ) as error:
        execute(run)
    assert not isinstance(error.value, DivergedError)  # the training has done nothing yet


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_checkpointing": True},
        {"quantization": "8bit"},
        {"quantization": "8bit", "llm_int8_threshold": 0.0, "precision": "bf16"},
        {"quantization": "4bit"},
        {"quantization": "4bit", "gradient_checkpointing": True, "precision": "bf16", "dora": True},
        {"optimizer": "adamw_8bit"},
        {"optimizer": "paged_adamw_8bit"},
        {"gradient_accumulation": 2, "schedule": "constant", "dropout": 0.1},
        {"schedule": "warmup_stable_decay", "warmup_ratio": 0.2, "decay_ratio": 0.4},
        {"neftune_noise_alpha": 5},
        {"method": "full"},
        {"method": "full", "gradient_checkpointing": True, "optimizer": "adamw_8bit"},
        {"embeddings": "all", "embedding_learning_rate": 1e-3},
    ],
    ids=lambda changes: ", ".join(f"{key} {value}" for key, value in changes.items()),
)
def test_ways_to_train(run: Run, changes: dict[str, object]) -> None:
    manifest = execute(with_settings(run, **changes))
    losses = log(run)["eval_loss"].dropna()
    assert losses.iloc[-1] < losses.iloc[0]
    name = "model.safetensors" if changes.get("method") == "full" else "adapter_model.safetensors"
    assert manifest["files"][name]["sha256"] == sha256_file(run.output.parent / name)


def test_learning_rate_stays_and_then_falls(run: Run) -> None:
    changes = {"max_steps": 10, "schedule": "warmup_stable_decay", "warmup_ratio": 0.2, "decay_ratio": 0.3}
    execute(with_settings(run, **changes))
    rates = log(run)["learning_rate"].dropna().to_numpy() / run.settings.learning_rate
    assert rates[2:8] == pytest.approx(1)
    assert rates[1] < 1
    assert (np.diff(rates[7:]) < 0).all()


def test_checkpointing_computes_the_same(run: Run) -> None:
    plain = execute(run)["counts"]["best_validation_loss"]
    recomputed = execute(with_settings(run, gradient_checkpointing=True))["counts"]["best_validation_loss"]
    assert recomputed == pytest.approx(plain, abs=1e-5)


def test_accumulated_batches_are_one_batch(run: Run) -> None:
    execute(with_settings(run, batch_size=4))
    together = log(run)["loss"].dropna()
    execute(with_settings(run, batch_size=1, gradient_accumulation=4))
    assert log(run)["loss"].dropna().to_numpy() == pytest.approx(together.to_numpy(), abs=1e-4)


def test_validation_loss_of_every_source(run: Run) -> None:
    execute(run)
    held_out = read_tokens(run.data.parent / "validation.arrow")
    labels = dict.fromkeys(SOURCES, 0)
    for row in held_out:
        labels[row["source"]] += len(row["input_ids"]) - 2
    measured = log(run).dropna(subset=["eval_loss"]).iloc[-1]
    mean = sum(measured[f"eval_loss_{source}"] * count for source, count in labels.items()) / sum(labels.values())
    assert mean == pytest.approx(measured["eval_loss"], abs=1e-5)


def test_the_best_step_is_saved_whenever_it_was(run: Run) -> None:
    manifest = execute(with_settings(run, eval_steps=1, save_steps=5, **STANDSTILL))
    losses = log(run).dropna(subset=["eval_loss"]).set_index("step")["eval_loss"]
    assert manifest["counts"]["best_step"] == losses[1:].idxmin() == 1


def test_the_order_is_the_data_directorys(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    compute_loss = StageTrainer.compute_loss

    def watched(self: Any, model: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
        seen.extend(inputs["row"].tolist())
        return compute_loss(self, model, inputs, *arguments, **options)

    monkeypatch.setattr(StageTrainer, "compute_loss", watched)
    order = np.arange(10)[::-1]
    np.save(run.data.parent / ORDER_FILE, order)
    data = run.data.parent
    sets = (read_tokens(data / "train.arrow"), read_tokens(data / "validation.arrow"))
    train(with_settings(run, max_steps=5), *sets, by_length=False)
    assert seen == order.tolist()


def test_an_adapter_goes_on(run: Run, tmp_path: Path) -> None:
    execute(run)
    second = dataclasses.replace(run, adapter=run.output, output=tmp_path / "second" / "manifest.json")
    first_loss = log(run)["loss"].dropna()
    manifest = execute(with_settings(second, learning_rate=1e-3))
    assert manifest["inputs"]["adapter"] == sha256_file(run.output)
    assert log(second)["loss"].dropna().iloc[0] < first_loss.iloc[0]


def test_curves_for_tensorboard(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "curves"))
    execute(with_settings(run, report_to=["tensorboard"]))
    events = b"".join(path.read_bytes() for path in (tmp_path / "curves").glob("events.out.tfevents.*"))
    assert {b"train/loss", b"eval/loss", b"train/learning_rate"} <= set(re.findall(rb"[a-z]+/[a-z_]+", events))


def test_curves_for_what_is_not_installed(run: Run) -> None:
    with pytest.raises(UserError, match=r"sft\.report_to names wandb, .* run pip install wandb, or take it out"):
        execute(with_settings(run, report_to=["wandb"]))


def test_more_tokens_than_positions(run: Run) -> None:
    with TokenWriter(run.data.parent / "train.arrow", ["input_ids"]) as writer:
        writer.add(input_ids=[5] * 513)
    write_manifest(run.data.parent, inputs={}, counts={})
    with pytest.raises(UserError, match=r"sft\.max_length let in 513 tokens, but the model has 512 positions"):
        execute(run)


def test_gpu_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="gpu is 1, but no GPU can be used"):
        execute(dataclasses.replace(run, gpu=1))


def test_nothing_to_train_on(run: Run) -> None:
    data = read_tokens(run.data.parent / "train.arrow").select([])
    with pytest.raises(UserError, match="no text; add some"):
        require_examples(data, "text", "add some")
