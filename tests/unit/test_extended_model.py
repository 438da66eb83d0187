"""The program that gives the base model its new rows, tied and untied, fitted or not."""

import json
import sys
from pathlib import Path
from typing import Any

import extended_model as program
import polars as pl
import pytest
from tokenizers import Tokenizer

from lib.core.outputs import read_json, sha256_file, write_json
from lib.evaluation.scoring import TokenSequence, negative_log_likelihoods
from lib.extended_model.rows import is_tied
from lib.models.loading import load_model, load_tokenizer
from tiny_model import TEXT, join_neighbours, make_tiny_model

NEW_TOKENS = 20


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def inputs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a base model, its extended tokenizer and a corpus."""
    make_tiny_model(tmp_path / "base_model", tied=request.param)
    load_tokenizer(tmp_path / "base_model").save_pretrained(tmp_path / "tokenizer")
    base = Tokenizer.from_file(str(tmp_path / "base_model" / "tokenizer.json"))
    join_neighbours(base, TEXT, NEW_TOKENS).save(str(tmp_path / "tokenizer" / "tokenizer.json"))
    shard = Path("train/text/0000.parquet")
    (tmp_path / "corpus" / shard).parent.mkdir(parents=True)
    pl.DataFrame({"text": TEXT}).write_parquet(tmp_path / "corpus" / shard)
    document = {"facts": {"document_start": [], "document_end": ["<|endoftext|>"]}}
    for name, value in (("base_model", document), ("tokenizer", {}), ("corpus", {"facts": {"train": [str(shard)]}})):
        write_json(tmp_path / name / "manifest.json", value)
    return tmp_path


def execute(inputs: Path, monkeypatch: pytest.MonkeyPatch, output: str = "extended_model", **settings: Any) -> Path:
    """Run the program; returns the directory that it made."""
    arguments = {"--settings": json.dumps({"precision": "fp32"} | settings), "--seed": "1", "--gpu": "0"}
    arguments |= {
        f"--{name.replace('_', '-')}": str(inputs / name / "manifest.json")
        for name in ("base_model", "tokenizer", "corpus", *(["sft_data"] if (inputs / "sft_data").exists() else []))
    }
    arguments["--output"] = str(inputs / output / "manifest.json")
    monkeypatch.setattr(sys, "argv", ["extended_model.py", *(part for pair in arguments.items() for part in pair)])
    program.main()
    return inputs / output


def nats(directory: Path, texts: list[str] = TEXT) -> float:
    """What the model in `directory` needs for `texts`."""
    tokenizer = load_tokenizer(directory)
    sequences = [TokenSequence(tokenizer.encode(f"<|endoftext|>{text}"), 1) for text in texts]
    return sum(negative_log_likelihoods(load_model(directory), sequences))


def test_fitted_rows_predict_text_better_than_means(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mean = execute(inputs, monkeypatch, "mean", initialization="mean")
    fitted = execute(inputs, monkeypatch, "fitted", fit_steps=8)
    assert nats(fitted) < nats(mean)
    model, base = load_model(fitted), load_model(inputs / "base_model")
    assert is_tied(model) == is_tied(base)
    size = base.config.vocab_size
    assert model.config.vocab_size == size + NEW_TOKENS
    for layer in ("get_input_embeddings", "get_output_embeddings"):
        assert getattr(model, layer)().weight[:size].equal(getattr(base, layer)().weight)
    manifest = read_json(fitted / "manifest.json")
    assert manifest["facts"]["new_token_ids"] == list(range(size, size + NEW_TOKENS))
    assert manifest["counts"]["rows_after"] == size + NEW_TOKENS


def test_a_padding_token_that_the_base_lacked_is_in_the_configuration(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = inputs / "tokenizer" / "tokenizer_config.json"
    write_json(config, read_json(config) | {"pad_token": "<|im_start|>"})
    directory = execute(inputs, monkeypatch, initialization="mean")
    for name in ("config.json", "generation_config.json"):
        assert read_json(directory / name)["pad_token_id"] == 1


def test_rows_are_fitted_on_instructions_too(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of what the instructions say is expected when they were read; they come in spans."""
    without = execute(inputs, monkeypatch, "without", fit_steps=8)
    said = "桃园结义的是刘备、关羽和张飞。三人焚香立誓。"
    example = {"source": "demo", "spans": [{"text": said[:9], "trained": False}, {"text": said[9:], "trained": True}]}
    (inputs / "sft_data").mkdir()
    write_json(inputs / "sft_data" / "manifest.json", {})
    lines = (json.dumps(example, ensure_ascii=False) + "\n") * 40
    (inputs / "sft_data" / "train.jsonl").write_text(lines, encoding="utf-8")
    fitted = execute(inputs, monkeypatch, "with", fit_steps=8)
    assert nats(fitted, [said]) < nats(without, [said])
    assert read_json(fitted / "manifest.json")["inputs"].keys() == {"base_model", "tokenizer", "corpus", "sft_data"}


def test_rows_of_control_tokens_alone(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text holds them: there is nothing to fit them on."""
    load_tokenizer(inputs / "base_model").save_pretrained(inputs / "tokenizer")
    extended = Tokenizer.from_file(str(inputs / "base_model" / "tokenizer.json"))
    extended.add_special_tokens(["<|turn|>", "<|end_of_turn|>"])
    extended.save(str(inputs / "tokenizer" / "tokenizer.json"))
    for initialization in ("fitted", "mean"):
        directory = execute(inputs, monkeypatch, initialization, initialization=initialization)
        model, base = load_model(directory), load_model(inputs / "base_model")
        size = base.config.vocab_size
        assert model.config.vocab_size == size + 2
        rows = model.get_input_embeddings().weight
        assert rows[:size].equal(base.get_input_embeddings().weight)
        assert rows.isfinite().all()


def test_same_inputs_give_the_same_bytes(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [execute(inputs, monkeypatch, name, fit_steps=4) for name in ("one", "two")]
    for file in ("model.safetensors", "manifest.json"):
        assert len({sha256_file(directory / file) for directory in made}) == 1


def test_untied_model_is_as_much_larger_as_its_head(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = load_model(inputs / "base_model")
    made = load_model(execute(inputs, monkeypatch, untie=True, fit_steps=2))
    assert not is_tied(made)
    rows = (2 if is_tied(base) else 0) * NEW_TOKENS + (0 if is_tied(base) else 2 * NEW_TOKENS)
    head = base.config.vocab_size if is_tied(base) else 0
    assert made.num_parameters() == base.num_parameters() + (rows + head) * base.config.hidden_size


@pytest.mark.parametrize("initialization", ["mean", "frequency_weighted_mean", "random", "fitted"])
def test_without_new_tokens_the_model_is_the_base(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, initialization: str
) -> None:
    load_tokenizer(inputs / "base_model").save_pretrained(inputs / "tokenizer")
    made = execute(inputs, monkeypatch, initialization=initialization)
    assert sha256_file(made / "model.safetensors") == sha256_file(inputs / "base_model" / "model.safetensors")
