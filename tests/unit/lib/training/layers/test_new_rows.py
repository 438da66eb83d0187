"""New rows are trained as PEFT trains them: same results, same gradients, same files."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from lib.models.loading import load_model
from lib.training.layers.new_rows import NewRowsLayer, speed_up_new_rows
from tiny_model import make_tiny_model

AMONG_OTHERS, LAST = range(346, 351), range(396, 400)
IDS = torch.tensor([[1, 3, 346, 350, 399, 346], [350, 2, 2, 396, 8, 399]])
LABELS = torch.tensor([[-100, 3, 346, 350, 399, 346], [-100, -100, 2, 396, 8, 399]])


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make_tiny_model(tmp_path / "base", tied=request.param)
    return tmp_path / "base"


def adapted(base: Path, *, fast: bool, checkpointing: bool = False, trained: Sequence[int] = AMONG_OTHERS) -> PeftModel:
    """The model with LoRA and trained rows, both away from where they start, the same for every call."""
    model = load_model(base)
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable()
    layers = {"embed_tokens": list(trained)} | ({} if model.config.tie_word_embeddings else {"lm_head": list(trained)})
    torch.manual_seed(0)
    model = get_peft_model(
        model, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", trainable_token_indices=layers)
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    if fast:
        speed_up_new_rows(model)
        assert sum(isinstance(module, NewRowsLayer) for module in model.modules()) == 2
    return model.train()


def loss_and_gradients(model: PeftModel) -> tuple[float, dict[str, torch.Tensor]]:
    loss = model(input_ids=IDS, labels=LABELS).loss
    loss.backward()
    return float(loss.detach()), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("trained", [AMONG_OTHERS, LAST], ids=["among others", "last"])
def test_loss_and_gradients_are_those_of_peft(base: Path, trained: Sequence[int], checkpointing: bool) -> None:
    expected_loss, expected = loss_and_gradients(adapted(base, fast=False, trained=trained))
    loss, gradients = loss_and_gradients(adapted(base, fast=True, checkpointing=checkpointing, trained=trained))
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert gradients.keys() == expected.keys()
    assert any("trainable_tokens" in name for name in gradients)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=0)


def test_ids_that_are_no_range_are_left_to_peft(base: Path) -> None:
    model = adapted(base, fast=False, trained=[3, 4, 7, 350])
    speed_up_new_rows(model)
    assert not any(isinstance(module, NewRowsLayer) for module in model.modules())


def test_autocast_agrees_within_its_own_precision(base: Path) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected_loss, expected = loss_and_gradients(adapted(base, fast=False))
        loss, gradients = loss_and_gradients(adapted(base, fast=True))
    assert loss == pytest.approx(expected_loss, abs=1e-2)
    for name, gradient in gradients.items():
        assert gradient.dtype == expected[name].dtype
        torch.testing.assert_close(gradient, expected[name], atol=5e-3, rtol=5e-2)


def test_selected_positions_have_the_logits_that_they_have_among_all(base: Path) -> None:
    model = adapted(base, fast=True).eval()
    chosen = torch.tensor([[0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1]], dtype=torch.bool)
    with torch.no_grad():
        every = model(input_ids=IDS).logits
        torch.testing.assert_close(model(input_ids=IDS, logits_to_keep=2).logits, every[:, -2:])
        hidden = model.get_base_model().model(input_ids=IDS).last_hidden_state
        torch.testing.assert_close(model.get_base_model().lm_head(hidden[chosen]), every[chosen])


def test_saved_adapter_is_that_of_plain_peft(base: Path, tmp_path: Path) -> None:
    for fast in (True, False):
        adapted(base, fast=fast).save_pretrained(tmp_path / str(fast), save_embedding_layers=False)
    fast_file, plain_file = (tmp_path / str(fast) / "adapter_model.safetensors" for fast in (True, False))
    assert fast_file.read_bytes() == plain_file.read_bytes()
    with torch.no_grad():
        expected = adapted(base, fast=True).eval()(IDS).logits
        loaded = PeftModel.from_pretrained(load_model(base), tmp_path / "True").eval()
        torch.testing.assert_close(loaded(IDS).logits, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(loaded.merge_and_unload()(IDS).logits, expected, atol=1e-5, rtol=0)


def test_without_its_adapter_the_model_is_the_base(base: Path) -> None:
    model = adapted(base, fast=True).eval()
    with torch.no_grad():
        expected = load_model(base)(IDS).logits
        assert not torch.allclose(model(IDS).logits, expected, atol=1e-2)
        with model.disable_adapter():
            torch.testing.assert_close(model(IDS).logits, expected)
        torch.testing.assert_close(model.merge_and_unload()(IDS).logits, adapted(base, fast=False).eval()(IDS).logits)


def test_model_that_was_scored_can_be_trained(base: Path) -> None:
    model = adapted(base, fast=True)
    with torch.inference_mode():
        model(input_ids=IDS)
    assert loss_and_gradients(model)[1]


def test_head_with_a_bias_keeps_it(base: Path) -> None:
    model = adapted(base, fast=True)
    head = model.get_base_model().lm_head.token_adapter
    hidden = torch.randn(3, model.config.hidden_size)
    with torch.no_grad():
        without = head(hidden)
        head.base_layer.bias = torch.nn.Parameter(torch.ones(model.config.vocab_size))
        torch.testing.assert_close(head(hidden), without + 1)
