"""The base_model program, from directories and GGUF files to a complete Hugging Face directory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import base_model
import pytest
import torch
from meta_model import Parameters, logits, random_weights, save_checkpoint
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceProcessor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from lib.core.errors import UserError
from lib.models.publishing import SAMPLE_TEXTS
from tiny_families import cut_like_qwen2
from tiny_model import CHAT_TEMPLATE, TEXT, make_tiny_model, make_tiny_tokenizer, write_sentencepiece
from tokenizer_kinds import write_kind

PROGRAM = Path(base_model.__file__)
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    make_tiny_model(directory)
    (directory / "README.md").write_text('---\nlicense: "cc0-1.0"\ntags: [test]\n---\n\n# Tiny\n')
    return directory


def convert(
    source: Path | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> tuple[Path, dict[str, Any]]:
    """Run the program's main here; returns the directory that it made and its manifest."""
    output = tmp_path / "results" / "base_model" / "manifest.json"
    values = json.dumps({"uri": str(source), **settings})
    flags = ["--settings", values, "--downloads", str(tmp_path / "downloads"), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["base_model.py", *flags])
    base_model.main()
    return output.parent, json.loads(output.read_text())


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_directory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    directory, manifest = convert(source, tmp_path, monkeypatch, dtype="bfloat16")
    printed = capfd.readouterr()
    assert printed.err == ""
    assert [line.split(": ")[0] for line in printed.out.splitlines()] == ["base_model"] * 4
    assert "vocabulary 400, with a chat template" in printed.out
    assert "a document is read as … <|endoftext|>" in printed.out

    model = AutoModelForCausalLM.from_pretrained(directory, dtype="auto")
    assert model.dtype == torch.bfloat16
    assert json.loads((directory / "config.json").read_text())["dtype"] == "bfloat16"
    assert AutoTokenizer.from_pretrained(directory).chat_template == CHAT_TEMPLATE
    generation = json.loads((directory / "generation_config.json").read_text())
    assert [generation[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")] == [1, 2, 0]

    assert manifest["counts"]["vocabulary"] == manifest["counts"]["embedding_rows"] == 400
    assert manifest["counts"]["layers"] == 2
    assert manifest["counts"]["parameters"] == model.num_parameters()
    assert manifest["counts"]["bytes"] == (directory / "model.safetensors").stat().st_size
    assert manifest["facts"] == {
        "uri": str(source),
        "architecture": "LlamaForCausalLM",
        "dtype": "bfloat16",
        "license": "cc0-1.0",
        "chat_template": True,
        "document_start": [],
        "document_end": ["<|endoftext|>"],
    }
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(manifest["inputs"])
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= set(manifest["files"])


def test_same_input_same_bytes(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = convert(source, tmp_path, monkeypatch)
    _, second = convert(source, tmp_path, monkeypatch)
    assert first == second


def test_sharded_weights(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_file(source / "model.safetensors")
    AutoModelForCausalLM.from_pretrained(source).save_pretrained(source, max_shard_size="30KB")
    assert (source / "model.safetensors.index.json").is_file()
    (source / "model.safetensors").unlink(missing_ok=True)
    directory, _ = convert(source, tmp_path, monkeypatch)
    after = load_file(directory / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_missing_generation_ids_are_filled_in(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "generation_config.json").write_text('{"do_sample": false, "temperature": 0.6}')
    edit(source / "config.json", pad_token_id=None, eos_token_id=None)
    edit(source / "tokenizer_config.json", pad_token=None)
    directory, _ = convert(source, tmp_path, monkeypatch)
    generation = json.loads((directory / "generation_config.json").read_text())
    assert [generation[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")] == [1, 2, 2]
    assert generation["temperature"] == 0.6


def test_tokens_around_documents_as_set(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, manifest = convert(source, tmp_path, monkeypatch, document_start="<|im_start|>", document_end="none")
    assert (manifest["facts"]["document_start"], manifest["facts"]["document_end"]) == (["<|im_start|>"], [])


@pytest.mark.parametrize(("named", "expected"), [("<|endoftext|>", 0), (None, None)])
def test_the_configuration_pads_as_the_tokenizer_does(
    named: str | None, expected: int | None, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(source / "config.json", pad_token_id=7)
    edit(source / "tokenizer_config.json", pad_token=named)
    directory, _ = convert(source, tmp_path, monkeypatch)
    assert json.loads((directory / "config.json").read_text())["pad_token_id"] == expected
    assert AutoTokenizer.from_pretrained(directory).pad_token_id == expected


def test_more_rows_than_tokens_is_padding(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoModelForCausalLM.from_pretrained(source)
    model.resize_token_embeddings(448, mean_resizing=False)
    model.save_pretrained(source)
    _, manifest = convert(source, tmp_path, monkeypatch)
    assert (manifest["counts"]["vocabulary"], manifest["counts"]["embedding_rows"]) == (400, 448)


def test_fewer_rows_than_tokens(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(source)
    with pytest.raises(UserError, match="vocabulary sizes disagree: tokenizer 401, embedding 400"):
        convert(source, tmp_path, monkeypatch)
    assert not (tmp_path / "results").exists()


@pytest.mark.fault
def test_lost_tensor(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = load_file(source / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 tensors of the model, model\.layers\.0\.mlp\.up_proj\.weight"):
        convert(source, tmp_path, monkeypatch)


def test_weights_beyond_the_number_format(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = load_file(source / "model.safetensors")
    weights["model.norm.weight"][0] = 1e6
    save_file(weights, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"model\.norm\.weight are not finite in float16; set base_model\.dtype"):
        convert(source, tmp_path, monkeypatch, dtype="float16")


def test_unknown_architecture(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(source / "config.json", model_type="no-such-model")
    with pytest.raises(UserError, match="models of type 'no-such-model' are not supported") as error:
        convert(source, tmp_path, monkeypatch)
    assert "\n" not in str(error.value)


def test_no_tokenizer(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="tokenizer"):
        convert(source, tmp_path, monkeypatch)


def test_some_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(UserError, match=r"a base model is a directory with config\.json .* or a GGUF"):
        convert(tmp_path / "notes.txt", tmp_path, monkeypatch)


@pytest.mark.parametrize("config_class", [LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config, SmolLM3Config])
@pytest.mark.parametrize("tied", [True, False])
def test_every_family(
    config_class: type[PreTrainedConfig], tied: bool, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_class(**SIZES, vocab_size=400, num_key_value_heads=2, pad_token_id=0, tie_word_embeddings=tied)
    model = AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(source)
    if config_class is Qwen2Config:
        cut_like_qwen2(source)
    directory, manifest = convert(source, tmp_path, monkeypatch)
    assert manifest["facts"]["architecture"] == type(model).__name__
    assert manifest["counts"]["parameters"] == model.num_parameters()
    written = AutoModelForCausalLM.from_pretrained(directory).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    assert torch.equal(written(ids).logits, model(ids).logits)
    written_config, source_config = (json.loads((path / "config.json").read_text()) for path in (directory, source))
    older = {"torch_dtype": "float32", "rope_theta": source_config["rope_parameters"]["rope_theta"]}
    assert written_config == source_config | older


@pytest.mark.parametrize("kind", ["SmolLM 2", "Phi 4", "Yi"])
def test_tokenizer_json_is_published_as_it_is(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    truth = write_kind(kind, source)
    directory, _ = convert(source, tmp_path, monkeypatch)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    for text in SAMPLE_TEXTS:
        assert tokenizer.encode(text) == truth.encode(text).ids


def test_a_tokenizer_that_transformers_reads_otherwise(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AutoModelForCausalLM.from_config(Qwen2Config(**SIZES, vocab_size=400)).save_pretrained(source)
    with pytest.raises(UserError, match="makes a Qwen2Tokenizer of this tokenizer") as error:
        convert(source, tmp_path, monkeypatch)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results" / "base_model").exists()


@pytest.mark.parametrize("ranks", [1, 2])
def test_original_checkpoint_of_meta(ranks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    parameters = Parameters(vocab_size=400)
    weights = random_weights(parameters)
    save_checkpoint(source, parameters, weights, ranks)
    write_sentencepiece(source / "tokenizer.model", vocabulary=400)
    directory, manifest = convert(source, tmp_path, monkeypatch)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(directory), AutoTokenizer.from_pretrained(directory)
    ids = tokenizer("The river rises in spring.").input_ids
    assert ids[0] == model.generation_config.bos_token_id == tokenizer.bos_token_id == 1
    with torch.no_grad():
        assert torch.allclose(model(torch.tensor([ids])).logits[0], logits(parameters, weights, ids), atol=1e-4)
    assert manifest["facts"]["architecture"] == "LlamaForCausalLM"
    assert manifest["counts"]["parameters"] == sum(tensor.numel() for tensor in weights.values())
    assert {"params.json", "tokenizer.model", "consolidated.00.pth"} <= set(manifest["inputs"])


@pytest.mark.parametrize(
    "settings", [None, {"tokenizer_class": "LlamaTokenizer"}, {"tokenizer_class": "LlamaTokenizer", "legacy": False}]
)
def test_directory_with_a_sentencepiece_model_alone(
    settings: dict[str, Any] | None, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).unlink()
    if settings:
        (source / "tokenizer_config.json").write_text(json.dumps(settings))
    write_sentencepiece(source / "tokenizer.model", vocabulary=400)
    directory, _ = convert(source, tmp_path, monkeypatch)
    reference = SentencePieceProcessor(str(source / "tokenizer.model"))
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert (directory / "tokenizer.json").is_file()
    for text in (*TEXT, *SAMPLE_TEXTS):
        assert tokenizer.encode(text, add_special_tokens=False) == reference.encode(text)


def test_mistake_on_the_command_line(tmp_path: Path) -> None:
    """The program as the rule calls it: one line, a status, and nothing half-written."""
    result = subprocess.run(
        [
            *(sys.executable, str(PROGRAM), "--settings", json.dumps({"uri": str(tmp_path / "gone")})),
            *(
                "--downloads",
                str(tmp_path / "downloads"),
                "--output",
                str(tmp_path / "results/base_model/manifest.json"),
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == f"error: {tmp_path / 'gone'} does not exist\n"
    assert not (tmp_path / "results").exists()
