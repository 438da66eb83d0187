"""Rows of new tokens move as far as they have been seen, whatever the optimizer keeps of other weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from lib.models.loading import load_model
from lib.settings.training import TrainingSettings
from lib.training.adapters import make_trainable
from lib.training.optimizers import FLOOR, NEW_ROWS, make_optimizer
from tiny_model import make_tiny_model

OPTIMIZERS = ["adamw", "adamw_8bit", "paged_adamw_8bit"]
NEW = range(380, 400)
FREQUENT, ABSENT = slice(0, 8), slice(8, 20)
RATE = 1e-3


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("base")
    make_tiny_model(directory, tied=request.param)
    return directory


def trainable(base: Path, **settings: Any) -> tuple[PeftModel, torch.optim.Optimizer]:
    torch.manual_seed(0)
    chosen = TrainingSettings.model_validate({"rank": 2, "learning_rate": RATE} | settings)
    model = make_trainable(load_model(base), chosen, NEW, "pretrain")
    return model, make_optimizer(model, chosen)


def rows_of(optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [rows for group in optimizer.param_groups if group[NEW_ROWS] for rows in group["params"]]


def text(step: int) -> torch.Tensor:
    """Token ids of 4 texts: old tokens, and frequent new ones."""
    generator = torch.Generator().manual_seed(step)
    ids = torch.randint(3, NEW.start, (4, 24), generator=generator)
    ids[:, ::3] = NEW.start + torch.randint(0, FREQUENT.stop, (4, 8), generator=generator)
    return ids


def train(model: PeftModel, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        ids = text(step)
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def distances(optimizer: torch.optim.Optimizer, before: list[torch.Tensor]) -> list[torch.Tensor]:
    """Root mean square by which each row has moved, for every matrix of rows."""
    return [(rows.detach() - old).square().mean(1).sqrt() for rows, old in zip(rows_of(optimizer), before, strict=True)]


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_rows_of_tokens_that_do_not_occur_hardly_move(base: Path, kind: str) -> None:
    model, optimizer = trainable(base, optimizer=kind)
    before = [rows.detach().clone() for rows in rows_of(optimizer)]
    train(model, optimizer, range(40))
    for moved in distances(optimizer, before):
        frequent = moved[FREQUENT].mean()
        assert frequent > 5 * RATE
        assert moved[ABSENT].max() < frequent / 3  # with Adam, they move further than frequent ones


def plain_adam(gradients: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    rows = torch.nn.Parameter(rows.clone())
    optimizer = torch.optim.AdamW([rows], lr=RATE, weight_decay=0)
    for gradient in gradients:
        rows.grad = gradient
        optimizer.step()
    return rows.detach()


def with_gradients(base: Path, gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows before and after steps with these gradients (steps, rows, width)."""
    _, optimizer = trainable(base)
    rows = rows_of(optimizer)[0]
    before = rows.detach().clone()
    for gradient in gradients:
        rows.grad = gradient
        optimizer.step()
    return before, rows.detach()


def test_rows_with_gradients_alike_move_as_with_adam(base: Path) -> None:
    gradients = 1 + torch.rand(12, len(NEW), 64)
    before, after = with_gradients(base, gradients)
    torch.testing.assert_close(after, plain_adam(gradients, before), atol=1e-6, rtol=0)


def test_a_small_gradient_is_divided_by_the_share_of_the_mean(base: Path) -> None:
    gradients = torch.ones(30, len(NEW), 64)
    gradients[:, ABSENT] = 1e-3
    before, after = with_gradients(base, gradients)
    torch.testing.assert_close(before[FREQUENT] - after[FREQUENT], torch.full((8, 64), 30 * RATE), atol=1e-5, rtol=0)
    mean = (8 + 12 * 1e-6) / 20
    expected = torch.full((12, 64), 30 * RATE * 1e-3 / (FLOOR * mean) ** 0.5)
    torch.testing.assert_close(before[ABSENT] - after[ABSENT], expected, atol=1e-7, rtol=1e-2)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_states_of_new_rows_are_kept_in_32_bits(base: Path, kind: str) -> None:
    model, optimizer = trainable(base, optimizer=kind)
    train(model, optimizer, range(1))
    for rows in rows_of(optimizer):
        state = optimizer.state[rows]
        assert state.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert {tensor.dtype for tensor in state.values()} == {torch.float32}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_continues_from_saved_states_with_the_same_bits(base: Path, kind: str, tmp_path: Path) -> None:
    model, optimizer = trainable(base, optimizer=kind)
    train(model, optimizer, range(6))
    expected = trained_values(model)

    interrupted, optimizer = trainable(base, optimizer=kind)
    train(interrupted, optimizer, range(3))
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    continued, optimizer = trainable(base, optimizer=kind)
    continued.load_state_dict(interrupted.state_dict())
    optimizer.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    train(continued, optimizer, range(3, 6))
    assert_same_bits(trained_values(continued), expected)


def trained_values(model: PeftModel) -> dict[str, torch.Tensor]:
    return {name: one.detach().clone() for name, one in model.named_parameters() if one.requires_grad}


def assert_same_bits(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("settings", [{"method": "full"}, {"embeddings": "all"}, {"embeddings": "none"}])
def test_whole_matrices_are_no_new_rows(base: Path, settings: dict[str, str]) -> None:
    _, optimizer = trainable(base, embedding_learning_rate=2e-3, **settings)
    assert not rows_of(optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [RATE, 2e-3][: len(optimizer.param_groups)]
    assert (len(optimizer.param_groups) == 2) == (settings != {"embeddings": "none"})


def test_weight_decay_and_rate_are_those_of_rows(base: Path) -> None:
    _, optimizer = trainable(base, embedding_learning_rate=0.5, weight_decay=0.1)
    (rows, *_) = rows_of(optimizer)
    before = rows.detach().clone()
    rows.grad = torch.zeros_like(rows)
    optimizer.step()
    torch.testing.assert_close(rows.detach(), before * 0.95)
