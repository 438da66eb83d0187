"""What is checked of a user's model directory before anything in it is read."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from lib.base_model.model_directory import check_directory, read_license
from lib.core.errors import UserError
from tiny_model import make_tiny_model


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    make_tiny_model(directory)
    return directory


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_whole_directory_passes(source: Path) -> None:
    check_directory(source)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.fault
def test_truncated_weights(source: Path, share: float) -> None:
    content = (source / "model.safetensors").read_bytes()
    (source / "model.safetensors").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"model\.safetensors: the weights are cut off or damaged") as error:
        check_directory(source)
    assert "\n" not in str(error.value)


def test_no_config(source: Path) -> None:
    (source / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json does not exist; a model directory holds one"):
        check_directory(source)
    (source / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json is not valid JSON"):
        check_directory(source)
    (source / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"config\.json must hold a JSON object"):
        check_directory(source)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.fault
def test_code_in_the_folder_is_never_run(source: Path, name: str) -> None:
    edit(source / name, auto_map={"AutoModelForCausalLM": "modeling.Model"})
    with pytest.raises(UserError, match=rf"{name}: this model runs code from its own folder"):
        check_directory(source)


@pytest.mark.fault
def test_pickle_is_never_read(source: Path) -> None:
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no model\.safetensors and no model\.safetensors\.index\.json$"):
        check_directory(source)
    (source / "pytorch_model.bin").touch()
    with pytest.raises(UserError, match=r"it holds pytorch_model\.bin, a pickle, which can run code"):
        check_directory(source)
    (source / "pytorch_model.bin").rename(source / "model.gguf")
    with pytest.raises(UserError, match=r"it holds model\.gguf: give the address of that file"):
        check_directory(source)


def test_quantized_weights(source: Path) -> None:
    edit(source / "config.json", quantization_config={"quant_method": "awq"})
    with pytest.raises(UserError, match=r"the weights are quantized \(awq\)"):
        check_directory(source)


@pytest.mark.parametrize("model_type", ["gpt2", "mixtral", "gemma3", None])
def test_families_that_are_not_supported(source: Path, model_type: str | None) -> None:
    edit(source / "config.json", model_type=model_type)
    with pytest.raises(UserError, match=rf"config\.json: models of type {model_type!r} are not supported; known"):
        check_directory(source)


@pytest.mark.fault
def test_lost_shard(source: Path) -> None:
    AutoModelForCausalLM.from_pretrained(source).save_pretrained(source, max_shard_size="30KB")
    (source / "model.safetensors").unlink(missing_ok=True)
    check_directory(source)
    next(source.glob("model-00002-of-*.safetensors")).unlink()
    with pytest.raises(UserError, match=r"index\.json names model-00002-of-.*, which is not there"):
        check_directory(source)


def test_license_of_a_model_card(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    assert read_license(readme) is None
    readme.write_text('---\nlicense: "cc0-1.0"\ntags: [test]\n---\n\n# Tiny\n')
    assert read_license(readme) == "cc0-1.0"
    readme.write_text("# Tiny\n\nlicense: none\n")
    assert read_license(readme) is None
