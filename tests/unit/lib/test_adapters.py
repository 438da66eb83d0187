"""Adapters: the right parameters are trained, and merging changes nothing but the weights' place."""

from pathlib import Path

import pytest
import torch

from lib.adapters import add_adapter, merge_adapter
from lib.embedding import add_rows
from lib.errors import UserError
from lib.models import load_model
from lib.settings.training import TrainingSettings
from tiny_model import make_tiny_model

IDS = torch.tensor([[1, 5, 9, 2, 7]])


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def extended(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, list[int]]:
    """A tiny model with two new rows, and their ids."""
    make_tiny_model(tmp_path / "base", tied=request.param)
    model = load_model(tmp_path / "base")
    new = [model.config.vocab_size, model.config.vocab_size + 1]
    add_rows(model, {new[0]: [1, 2], new[1]: [3, 4]}, "mean", torch.Generator())
    model.save_pretrained(tmp_path / "extended")
    return tmp_path / "extended", new


def test_gradient_reaches_adapters_and_new_rows_alone(extended: tuple[Path, list[int]]) -> None:
    path, new = extended
    model = add_adapter(load_model(path), TrainingSettings(rank=4), new, "pretrain")
    ids = torch.cat([IDS, torch.tensor([new])], dim=1)
    model(input_ids=ids, labels=ids).loss.backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained
    assert all("lora_" in name or "trainable_tokens" in name for name in trained)
    rows = [p for name, p in model.named_parameters() if "trainable_tokens" in name and p.requires_grad]
    assert all(row.shape == (2, model.config.hidden_size) for row in rows)


def test_merged_model_gives_the_same_logits(extended: tuple[Path, list[int]], tmp_path: Path) -> None:
    path, new = extended
    model = add_adapter(load_model(path), TrainingSettings(rank=4), new, "pretrain")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))) * 0.1)
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    merged = merge_adapter(path, tmp_path / "adapter")
    merged.save_pretrained(tmp_path / "merged")
    ids = torch.cat([IDS, torch.tensor([new])], dim=1)
    with torch.no_grad():
        expected = model.eval()(ids).logits
        assert torch.allclose(load_model(tmp_path / "merged")(ids).logits, expected, atol=1e-4)
        assert not torch.allclose(load_model(path)(ids).logits, expected, atol=1e-2)


def test_unknown_target_module_names_those_that_exist(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    settings = TrainingSettings(target_modules=["q_proj", "query"])
    with pytest.raises(UserError, match=r"sft\.target_modules names 'query'.*down_proj, gate_proj, k_proj"):
        add_adapter(load_model(tmp_path), settings, [], "sft")


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_quantized_base_trains(tmp_path: Path, quantization: str) -> None:
    make_tiny_model(tmp_path)
    settings = TrainingSettings.model_validate({"quantization": quantization})
    model = add_adapter(load_model(tmp_path, quantization=settings.quantization), settings, [3, 4], "pretrain")
    loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is not None for name, p in model.named_parameters() if "lora_B" in name)
