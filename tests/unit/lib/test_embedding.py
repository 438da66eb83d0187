"""New embedding rows: old ones untouched, tying kept, untied heads served."""

from pathlib import Path

import pytest
import torch

from lib.embedding import add_rows
from lib.models import load_model
from tiny_model import make_tiny_model


@pytest.mark.parametrize("tied", [True, False])
def test_mean_of_constituents(tmp_path: Path, tied: bool) -> None:
    make_tiny_model(tmp_path, tied=tied)
    model = load_model(tmp_path)
    before = [layer.weight.detach().clone() for layer in (model.get_input_embeddings(), model.get_output_embeddings())]
    size = len(before[0])
    add_rows(model, {size: [1, 2], size + 1: [3, 4, 5]}, "mean", torch.Generator())
    for layer, old in zip((model.get_input_embeddings(), model.get_output_embeddings()), before, strict=True):
        assert layer.weight.shape[0] == size + 2 == model.config.vocab_size
        assert torch.equal(layer.weight[:size], old)
        assert torch.allclose(layer.weight[size], old[[1, 2]].mean(0))
        assert torch.allclose(layer.weight[size + 1], old[[3, 4, 5]].mean(0))
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == tied


def test_random_rows_resemble_the_others(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    model = load_model(tmp_path)
    old = model.get_input_embeddings().weight.detach().clone()
    new = {len(old) + i: [1, 2] for i in range(400)}
    add_rows(model, new, "random", torch.Generator().manual_seed(1))
    rows = model.get_input_embeddings().weight[len(old) :]
    assert torch.allclose(rows.std(), old.std(), rtol=0.1)
    assert not torch.allclose(rows[0], rows[1])


def test_no_new_token_changes_nothing(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    model = load_model(tmp_path)
    size = model.config.vocab_size
    add_rows(model, {}, "mean", torch.Generator())
    assert model.config.vocab_size == size
