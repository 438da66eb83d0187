"""Compiled layers compute what they computed before, and what they compute does not depend on what came first."""

import sysconfig
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from lib.core.errors import UserError
from lib.models.loading import load_model
from lib.settings.training import TrainingSettings
from lib.training.adapters import make_trainable
from lib.training.layers import compilation
from lib.training.layers.compilation import compile_layers, decoder_layers
from lib.training.layers.label_loss import use_label_loss
from tiny_model import make_tiny_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_tiny_model(path)
    return path


@pytest.fixture(autouse=True)
def without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trace and run as compiled code would, without building any: it needs a compiler, which not all machines have."""
    monkeypatch.setattr(compilation, "BACKEND", "aot_eager")
    monkeypatch.setattr(compilation, "_missing", lambda: None)


def loaded(directory: Path, compiled: bool, **changes: Any) -> PreTrainedModel | PeftModel:
    """The model, ready to be trained with `changes` to the default settings, adapters away from where they start."""
    torch.compiler.reset()
    torch.manual_seed(0)
    model = load_model(directory)
    use_label_loss(model, compiled)
    settings = TrainingSettings.model_validate({"rank": 4, "embeddings": "none"} | changes)
    trained = make_trainable(model, settings, [], "sft")
    with torch.no_grad():
        for name, parameter in trained.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    if compiled:
        compile_layers(model, "sft", lengths_vary=True)
        assert all(layer._compiled_call_impl is not None for layer in decoder_layers(model))
    return trained.train()


def gradients(model: PreTrainedModel | PeftModel, length: int) -> list[torch.Tensor]:
    """Loss and gradients of two rows of a length."""
    ids = torch.randint(3, 200, (2, length), generator=torch.Generator().manual_seed(length))
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    found = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    assert all(gradient.norm() > 0 for gradient in found)
    return [loss.detach(), *found]


@pytest.mark.parametrize("changes", [{}, {"method": "full"}], ids=str)
def test_results_and_gradients_stay_the_same(directory: Path, changes: dict[str, Any]) -> None:
    expected, results = (gradients(loaded(directory, compiled, **changes), 9) for compiled in (False, True))
    for one, other in zip(results, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_bits_do_not_depend_on_the_length_that_came_first(directory: Path) -> None:
    model = loaded(directory, True)
    gradients(model, 5)
    later = gradients(model, 12)
    for one, other in zip(gradients(loaded(directory, True), 12), later, strict=True):
        assert torch.equal(one, other)


def test_layers_are_those_that_repeat(directory: Path) -> None:
    model = load_model(directory)
    assert decoder_layers(model) == list(model.model.layers)


def test_nothing_to_compile_with(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(directory))
    expected = r"sft\.compile needs a C compiler \(gcc\), which is not here; install it, or set it to false"
    with pytest.raises(UserError, match=expected):
        compile_layers(load_model(directory), "sft", lengths_vary=True)


def test_no_headers_to_compile_with(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("CC", "gcc")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(directory))
    with pytest.raises(UserError, match=r"pretrain\.compile needs Python\.h \(python3-dev\)"):
        compile_layers(load_model(directory), "pretrain", lengths_vary=False)
