"""The loss at labels alone is the loss of the whole, however examples are put into rows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GraniteConfig, GraniteForCausalLM, MambaConfig, MambaForCausalLM, PreTrainedModel

from lib.models.loading import load_model
from lib.tokens.token_files import IGNORED_LABEL
from lib.training.collation import collate
from lib.training.layers.label_loss import (
    cross_entropy_in_place,
    keeps_examples_apart,
    summed_cross_entropy,
    use_label_loss,
)
from tiny_model import make_tiny_model

LENGTHS = (9, 5, 14, 7)


@pytest.fixture
def model(tmp_path: Path) -> PreTrainedModel:
    make_tiny_model(tmp_path)
    return load_model(tmp_path).eval()


def examples() -> list[dict[str, list[int]]]:
    """Examples of mixed lengths, one token of each masked."""
    random = torch.Generator().manual_seed(0)
    rows = [torch.randint(3, 200, (length,), generator=random).tolist() for length in LENGTHS]
    return [{"input_ids": ids, "labels": [ids[0], ids[1], IGNORED_LABEL, *ids[3:]]} for ids in rows]


def packed(rows: list[dict[str, list[int]]]) -> dict[str, list[int]]:
    """Examples behind one another in one row."""
    return {
        "input_ids": [token for row in rows for token in row["input_ids"]],
        "labels": [label for row in rows for label in row["labels"]],
        "position_ids": [position for row in rows for position in range(len(row["input_ids"]))],
    }


def mean_one_by_one(model: PreTrainedModel, rows: list[dict[str, list[int]]]) -> torch.Tensor:
    """Mean loss over all labels, computed by transformers on one example at a time."""
    losses = [model(input_ids=batch["input_ids"], labels=batch["labels"]).loss for batch in map(collate, zip(rows))]
    counts = [len(row["labels"]) - 2 for row in rows]
    return sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda rows: rows,
        lambda rows: [packed(rows)],
        lambda rows: [packed(rows[:3]), packed(rows[3:])],
        lambda rows: [packed(rows[1:]), rows[0]],
    ],
    ids=["padded", "packed", "packed and padded", "packed beside a single one"],
)
@torch.no_grad()
def test_a_batch_has_the_loss_of_its_examples(model: PreTrainedModel, arrange: Any) -> None:
    expected = mean_one_by_one(model, examples())
    use_label_loss(model)
    batch = collate(arrange(examples()))
    labels = (batch["labels"][:, 1:] != IGNORED_LABEL).sum()
    assert torch.allclose(model(**batch).loss / labels, expected, atol=1e-5)


@torch.no_grad()
def test_an_example_does_not_see_its_neighbour(model: PreTrainedModel) -> None:
    batch = collate([packed(examples())])
    del batch["labels"]
    before = model(**batch, use_cache=False).logits
    batch["input_ids"][0, : LENGTHS[0]] += 1
    after = model(**batch, use_cache=False).logits
    assert not torch.allclose(before[0, : LENGTHS[0]], after[0, : LENGTHS[0]], atol=1e-3)
    assert torch.allclose(before[0, LENGTHS[0] :], after[0, LENGTHS[0] :], atol=1e-5)


@torch.no_grad()
def test_whether_a_model_keeps_examples_apart_is_tried_out(model: PreTrainedModel) -> None:
    recurrent = MambaForCausalLM(MambaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1)).eval()
    assert keeps_examples_apart(model)
    assert not keeps_examples_apart(recurrent)


def test_without_labels_the_scores_are_there(model: PreTrainedModel) -> None:
    ids = torch.tensor([[5, 6, 7]])
    expected = model(input_ids=ids).logits
    use_label_loss(model)
    assert torch.equal(model(input_ids=ids).logits, expected)


def test_scaled_scores_are_scaled_in_the_loss() -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = GraniteForCausalLM(GraniteConfig(vocab_size=300, num_key_value_heads=2, logits_scaling=4.0, **sizes)).eval()
    expected = mean_one_by_one(model, examples())
    use_label_loss(model)
    batch = collate(examples())
    labels = (batch["labels"][:, 1:] != IGNORED_LABEL).sum()
    assert torch.allclose(model(**batch).loss / labels, expected, atol=1e-5)


def test_in_parts_the_loss_and_the_gradients_are_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    head = torch.nn.Linear(8, 50, bias=False)
    targets = torch.randint(50, (23,), generator=random)
    results = []
    for rows_at_once in (100, 5):
        hidden = torch.randn(23, 8, generator=random.manual_seed(1), requires_grad=True)
        loss = summed_cross_entropy(head, hidden, targets, rows_at_once)
        results.append((loss, *torch.autograd.grad(loss, [hidden, head.weight])))
    for whole, parts in zip(*results, strict=True):
        assert torch.allclose(whole, parts, atol=1e-5)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_the_loss_and_its_gradient_are_those_of_cross_entropy(kind: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    scores = (5 * torch.randn(23, 50, generator=random)).to(kind).requires_grad_()
    targets = torch.randint(50, (23,), generator=random)
    before = scores.detach().clone()
    # A factor as GradScaler has it: without it, small values of fp16 would be zero.
    found, wanted = (
        (loss, torch.autograd.grad(loss * 512, scores)[0])
        for loss in (
            cross_entropy_in_place(scores, targets),
            torch.nn.functional.cross_entropy(scores.float(), targets, reduction="sum"),
        )
    )
    assert torch.allclose(found[0], wanted[0])
    assert found[1].dtype == kind
    assert torch.allclose(found[1], wanted[1], rtol=1e-2 if kind == torch.bfloat16 else 1e-3, atol=1e-6)
    assert torch.equal(scores.detach(), before)


@torch.no_grad()
def test_without_gradients_the_loss_is_the_same() -> None:
    scores, targets = torch.arange(12.0).view(3, 4), torch.tensor([0, 3, 1])
    wanted = torch.nn.functional.cross_entropy(scores, targets, reduction="sum")
    assert torch.equal(cross_entropy_in_place(scores, targets), wanted)
