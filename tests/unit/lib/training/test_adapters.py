"""Adapters: the right parameters are trained, and merging changes nothing but the weights' place."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

import loaded_model
from lib.core.errors import UserError
from lib.core.outputs import read_json
from lib.extended_model.rows import add_rows, is_tied
from lib.models.loading import check_sizes, fewer_bits, load_model, load_tokenizer
from lib.models.publishing import publish_model, publish_tokenizer
from lib.models.tokenizer_files import copy_tokenizer
from lib.settings.training import TrainingSettings
from lib.training.adapters import make_trainable, save_adapter, trained_model
from tiny_model import make_tiny_model

IDS = torch.tensor([[1, 5, 9, 2, 7]])
Extended = tuple[Path, list[int]]


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def extended(request: pytest.FixtureRequest, tmp_path: Path) -> Extended:
    return make_extended(tmp_path, tied=request.param)


def make_extended(directory: Path, *, tied: bool) -> Extended:
    """A tiny model with two new rows, and their ids."""
    make_tiny_model(directory / "base", tied=tied)
    model = load_model(directory / "base")
    new = [model.config.vocab_size, model.config.vocab_size + 1]
    add_rows(model, {new[0]: [1, 2], new[1]: [3, 4]}, "mean", torch.Generator())
    model.save_pretrained(directory / "extended")
    load_tokenizer(directory / "base").save_pretrained(directory / "extended")
    return directory / "extended", new


def trainable(extended: Extended, adapter: Path | None = None, **changes: Any) -> Any:
    """The extended model, ready to be trained with `changes` to the default settings."""
    path, new = extended
    settings = TrainingSettings.model_validate({"rank": 4} | changes)
    model = load_model(path, quantization=fewer_bits(settings.quantization, "fp32", settings.llm_int8_threshold))
    return make_trainable(model, settings, new, "pretrain", adapter)


def ids(extended: Extended) -> torch.Tensor:
    """A sequence with old and new tokens in it."""
    return torch.cat([IDS, torch.tensor([extended[1]])], dim=1)


def changed(model: torch.nn.Module) -> torch.nn.Module:
    """The model with noise on everything that is trained, as if it had been."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))) * 0.1)
    return model.eval()


@pytest.mark.parametrize("embeddings", ["new_rows", "all", "none"])
def test_gradient_reaches_what_is_trained_alone(extended: Extended, embeddings: str) -> None:
    model = trainable(extended, embeddings=embeddings)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    model(input_ids=ids(extended), labels=ids(extended)).loss.backward()
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    adapters = {name for name in before if "lora_" in name}
    rows = reached - adapters
    assert adapters <= reached
    if embeddings == "none":
        assert not rows
    elif embeddings == "new_rows":
        assert rows
        assert all("trainable_tokens" in name and before[name].shape[0] == 2 for name in rows)
    else:
        assert {before[name].shape[0] for name in rows} == {model.config.vocab_size}
        assert len(rows) == (1 if model.config.tie_word_embeddings else 2)

    torch.optim.SGD(model.parameters(), lr=1.0).step()
    for name, parameter in model.named_parameters():
        if name not in reached:
            assert torch.equal(parameter, before[name]), name


def test_full_training_reaches_every_weight(extended: Extended) -> None:
    model = trainable(extended, method="full")
    model(input_ids=ids(extended), labels=ids(extended)).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"embeddings": "all"},
        {"embeddings": "none", "rslora": True, "alpha": 7},
        {"dora": True},
        {"target_modules": ["q_proj", "v_proj"]},
        {"method": "full"},
    ],
    ids=str,
)
def test_merged_model_gives_the_same_logits(extended: Extended, changes: dict[str, Any], tmp_path: Path) -> None:
    model = changed(trainable(extended, **changes))
    options = {"save_embedding_layers": "embeddings" in changes} if isinstance(model, PeftModel) else {}
    model.save_pretrained(tmp_path / "trained", **options)
    merged = trained_model(extended[0], tmp_path / "trained")
    merged.save_pretrained(tmp_path / "merged")
    check_sizes(merged, load_tokenizer(extended[0]))
    tied = merged.get_input_embeddings().weight is merged.get_output_embeddings().weight
    assert tied == load_model(extended[0]).config.tie_word_embeddings
    with torch.no_grad():
        expected = model(ids(extended)).logits
        assert torch.allclose(load_model(tmp_path / "merged")(ids(extended)).logits, expected, atol=1e-4)
        assert not torch.allclose(load_model(extended[0])(ids(extended)).logits, expected, atol=1e-2)


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_an_adapter_of_a_quantized_base_is_merged_in_full_precision(
    extended: Extended, quantization: str, tmp_path: Path
) -> None:
    model = changed(trainable(extended, quantization=quantization, embeddings="none"))
    model.save_pretrained(tmp_path / "adapter")
    merged = trained_model(extended[0], tmp_path / "adapter")
    weight = "model.layers.0.mlp.up_proj"
    factors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    update = factors[f"base_model.model.{weight}.lora_B.weight"] @ factors[f"base_model.model.{weight}.lora_A.weight"]
    expected = load_model(extended[0]).get_submodule(weight).weight + update * 32 / 4
    assert torch.allclose(merged.get_submodule(weight).weight, expected, atol=1e-5)


def test_the_published_model_needs_nothing_of_this_project(extended: Extended, tmp_path: Path) -> None:
    model = changed(trainable(extended))
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    trained_model(extended[0], tmp_path / "adapter").save_pretrained(tmp_path / "published")
    load_tokenizer(extended[0]).save_pretrained(tmp_path / "published")
    program = f"""
import importlib.util, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
assert importlib.util.find_spec("lib") is None
model = AutoModelForCausalLM.from_pretrained("published")
assert len(AutoTokenizer.from_pretrained("published")) <= model.config.vocab_size
assert "peft" not in sys.modules
print(model(torch.tensor({ids(extended).tolist()})).logits.sum().item())
"""
    result = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    with torch.no_grad():
        assert float(result.stdout) == pytest.approx(model(ids(extended)).logits.sum().item(), abs=1e-2)


def test_an_adapter_loads_in_older_versions(tmp_path: Path) -> None:
    texts = ["The river rises in spring.", "话说天下"]
    adapters = []
    for tied in (True, False):
        base, new = make_extended(tmp_path / str(tied), tied=tied)
        publish_model(load_model(base), base)
        publish_tokenizer(load_tokenizer(base), base)
        adapters.append(tmp_path / f"adapter-{tied}")
        save_adapter(changed(trainable((base, new))), adapters[-1], embeddings=False)
        copy_tokenizer(base, adapters[-1])
        assert not (adapters[-1] / "README.md").exists()
    found, scores = loaded_model.in_transformers_4(adapters, texts, tmp_path / "scores.safetensors")
    for adapter, older in zip(adapters, found, strict=True):
        newer, expected = loaded_model.load(adapter, texts)
        assert older == newer
        assert (scores[str(adapter)] - expected).abs().max() < 1e-4


def test_an_adapter_names_what_it_uses(extended: Extended, tmp_path: Path) -> None:
    save_adapter(trainable(extended, target_modules=["v_proj", "q_proj"]), tmp_path / "plain", embeddings=False)
    tables = ["embed_tokens"] if is_tied(load_model(extended[0])) else ["embed_tokens", "lm_head"]
    assert read_json(tmp_path / "plain" / "adapter_config.json") == {
        "base_model_name_or_path": str(extended[0]),
        "inference_mode": True,
        "lora_alpha": 32.0,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": 4,
        "target_modules": ["q_proj", "v_proj"],
        "task_type": "CAUSAL_LM",
        "trainable_token_indices": dict.fromkeys(tables, extended[1]),
    }
    save_adapter(trainable(extended, dora=True, rslora=True), tmp_path / "other", embeddings=False)
    config = read_json(tmp_path / "other" / "adapter_config.json")
    assert (config["use_dora"], config["use_rslora"]) == (True, True)


def test_an_adapter_that_goes_on_starts_where_it_was(extended: Extended, tmp_path: Path) -> None:
    first = changed(trainable(extended))
    first.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    second = trainable(extended, tmp_path / "adapter").eval()
    names = [name for name, parameter in first.named_parameters() if parameter.requires_grad]
    assert [name for name, parameter in second.named_parameters() if parameter.requires_grad] == names
    with torch.no_grad():
        assert torch.equal(first(ids(extended)).logits, second(ids(extended)).logits)


def test_unknown_target_module_names_those_that_exist(extended: Extended) -> None:
    with pytest.raises(UserError, match=r"pretrain\.target_modules names 'query'.*down_proj, gate_proj, k_proj"):
        trainable(extended, target_modules=["q_proj", "query"])


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_measuring_a_quantized_model_leaves_its_gradients_as_they_are(extended: Extended, quantization: str) -> None:
    model = trainable(extended, quantization=quantization)
    gradients = []
    for _ in range(2):
        model.train()
        model.zero_grad()
        model(input_ids=ids(extended), labels=ids(extended)).loss.backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        model.eval()
        with torch.no_grad():
            model(input_ids=ids(extended))
    first, second = gradients
    assert {name for name in first if "layers.0" in name and "lora_B" in name}
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
