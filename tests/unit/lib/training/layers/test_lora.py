"""LoRA layers compute what PEFT's compute: same results, same gradients, in whatever precision."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from lib.training.layers.lora import LoraLinear, round_frozen_weights, speed_up_lora

INPUTS, OUTPUTS = 12, 20


class Layers(nn.Module):
    """Two linear layers, the second with a bias; one input reaches both."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(INPUTS, OUTPUTS, bias=False)
        self.second = nn.Linear(INPUTS, OUTPUTS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x) * self.second(x)


def adapted(fast: bool, dtype: torch.dtype = torch.float32, **options: Any) -> PeftModel:
    """Both layers with an adapter that is away from where it starts, the same for every call."""
    torch.manual_seed(0)
    layers = Layers().to(dtype)
    config = LoraConfig(r=3, lora_alpha=7, target_modules=["first", "second"], init_lora_weights=False, **options)
    model = get_peft_model(layers, config)
    if fast:
        speed_up_lora(model)
        assert sum(isinstance(module, LoraLinear) for module in model.modules()) == 2
    return model


def inputs(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 5, INPUTS, generator=generator).to(dtype).requires_grad_()


def results(model: PeftModel, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Outputs, and gradients of the input and of what is trained."""
    torch.manual_seed(2)  # of dropout
    y = model(x)
    y.float().square().sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"outputs": y.detach(), "inputs": x.grad, **gradients}


def agree(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor], tolerance: float) -> None:
    assert some.keys() == others.keys()
    assert sum("lora_" in name for name in some) >= 4
    for name, one in some.items():
        assert one.dtype == others[name].dtype, name
        assert (one - others[name]).norm() <= tolerance * others[name].norm(), name


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"use_dora": True}, {"lora_dropout": 0.5}], ids=str)
def test_results_and_gradients_are_those_of_peft(options: dict[str, Any]) -> None:
    agree(results(adapted(True, **options), inputs()), results(adapted(False, **options), inputs()), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_agrees_within_its_own_precision(dtype: torch.dtype) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        agree(results(adapted(True, dtype), inputs(dtype)), results(adapted(False, dtype), inputs(dtype)), 2e-2)


def test_an_adapter_in_more_bits_than_its_layer_is_computed_in_its_own() -> None:
    dtype = torch.bfloat16
    fast, slow = (results(adapted(fast, dtype), inputs(dtype)) for fast in (True, False))
    agree(fast, slow, 0)


def test_no_gradient_of_an_input_that_needs_none() -> None:
    x = inputs().detach()
    model = adapted(True)
    model(x).sum().backward()
    assert x.grad is None
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("without", ["disabled", "merged", "unloaded"])
def test_adapters_come_off_as_they_do_in_peft(without: str) -> None:
    x = inputs().detach()
    fast, slow = adapted(True), adapted(False)
    with torch.no_grad():
        if without == "disabled":
            with fast.disable_adapter(), slow.disable_adapter():
                assert torch.equal(fast(x), slow(x))
                assert torch.equal(fast(x), fast.get_base_model().to(x)(x))
        elif without == "merged":
            fast.merge_adapter()
            slow.merge_adapter()
            assert torch.equal(fast(x), slow(x))
        else:
            assert torch.equal(fast.merge_and_unload()(x), slow.merge_and_unload()(x))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_frozen_weights_in_16_bits_give_the_same_bits_in_training(kind: torch.dtype) -> None:
    whole, rounded = adapted(fast=True), adapted(fast=True)
    round_frozen_weights(rounded, kind)
    assert {layer.base_layer.weight.dtype for layer in rounded.modules() if isinstance(layer, LoraLinear)} == {kind}
    with torch.autocast("cpu", dtype=kind):
        expected, found = results(whole, inputs()), results(rounded, inputs())
    agree(found, expected, 0)


def test_weights_that_dora_measures_stay_as_they_are() -> None:
    model = adapted(fast=True, use_dora=True)
    round_frozen_weights(model, torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
