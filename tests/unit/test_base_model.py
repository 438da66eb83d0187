"""The base_model program, from directories and GGUF files to a complete Hugging Face directory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import base_model
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lib.errors import UserError
from tiny_model import CHAT_TEMPLATE, make_tiny_model, make_tiny_tokenizer

PROGRAM = Path(base_model.__file__)


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
    assert [line.split(": ")[0] for line in printed.out.splitlines()] == ["base_model"] * 3
    assert "vocabulary 400, with a chat template" in printed.out

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
        "license": "cc0-1.0",
        "chat_template": True,
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
    next(source.glob("model-00002-of-*.safetensors")).unlink()
    with pytest.raises(UserError, match=r"index\.json names model-00002-of-.*, which is not there"):
        base_model.check_directory(source)


def test_missing_generation_ids_are_filled_in(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "generation_config.json").write_text('{"do_sample": false, "temperature": 0.6}')
    edit(source / "config.json", pad_token_id=None, eos_token_id=None)
    edit(source / "tokenizer_config.json", pad_token=None)
    directory, _ = convert(source, tmp_path, monkeypatch)
    generation = json.loads((directory / "generation_config.json").read_text())
    assert [generation[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")] == [1, 2, 2]
    assert generation["temperature"] == 0.6


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


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights(source: Path, share: float) -> None:
    content = (source / "model.safetensors").read_bytes()
    (source / "model.safetensors").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"model\.safetensors: the weights are cut off or damaged") as error:
        base_model.check_directory(source)
    assert "\n" not in str(error.value)


def test_no_config(source: Path) -> None:
    (source / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json does not exist; a model directory holds one"):
        base_model.check_directory(source)
    (source / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json is not valid JSON"):
        base_model.check_directory(source)
    (source / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"config\.json must hold a JSON object"):
        base_model.check_directory(source)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_in_the_folder_is_never_run(source: Path, name: str) -> None:
    edit(source / name, auto_map={"AutoModelForCausalLM": "modeling.Model"})
    with pytest.raises(UserError, match=rf"{name}: this model runs code from its own folder"):
        base_model.check_directory(source)


def test_pickle_is_never_read(source: Path) -> None:
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no model\.safetensors and no model\.safetensors\.index\.json$"):
        base_model.check_directory(source)
    (source / "pytorch_model.bin").touch()
    with pytest.raises(UserError, match=r"it holds pytorch_model\.bin, a pickle, which can run code"):
        base_model.check_directory(source)
    (source / "pytorch_model.bin").rename(source / "model.gguf")
    with pytest.raises(UserError, match=r"it holds model\.gguf: give the address of that file"):
        base_model.check_directory(source)


def test_quantized_weights(source: Path) -> None:
    edit(source / "config.json", quantization_config={"quant_method": "awq"})
    with pytest.raises(UserError, match=r"the weights are quantized \(awq\)"):
        base_model.check_directory(source)


def test_unknown_architecture(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(source / "config.json", model_type="no-such-model")
    with pytest.raises(UserError, match=r"transformers cannot load this model: .*no-such-model") as error:
        convert(source, tmp_path, monkeypatch)
    assert "\n" not in str(error.value)


def test_no_tokenizer(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="tokenizer"):
        convert(source, tmp_path, monkeypatch)


def test_some_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(UserError, match=r"a base model is a directory with config\.json and safetensors, or a GGUF"):
        convert(tmp_path / "notes.txt", tmp_path, monkeypatch)


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
