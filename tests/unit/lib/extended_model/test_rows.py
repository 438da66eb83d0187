"""New embedding rows: old ones untouched, tying kept, untied heads served."""

from pathlib import Path

import pytest
import torch

from lib.extended_model.rows import add_rows, is_tied, put_rows, untie
from lib.models.loading import load_model
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


def test_rare_constituents_count_more_when_weighted_by_frequency(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    model = load_model(tmp_path)
    old = model.get_input_embeddings().weight.detach().clone()
    add_rows(model, {len(old): [1, 2]}, "frequency_weighted_mean", torch.Generator(), {1: 100, 2: 4})
    row = model.get_input_embeddings().weight[len(old)]
    torch.testing.assert_close(row, (old[1] / 10 + old[2] / 2) / (1 / 10 + 1 / 2))


def test_untied_model_gives_the_same_logits_and_stays_untied(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    model, ids = load_model(tmp_path), torch.tensor([[1, 5, 9]])
    expected = model(ids).logits
    untie(model)
    assert not is_tied(model)
    rows = torch.ones(2, 2, model.config.hidden_size)
    put_rows(model, [3, 7], rows[0], 2 * rows[1])
    assert torch.equal(model.get_input_embeddings().weight[[3, 7]], rows[0])
    assert torch.equal(model.get_output_embeddings().weight[[3, 7]], 2 * rows[1])
    model.save_pretrained(tmp_path / "untied")
    loaded = load_model(tmp_path / "untied")
    assert not is_tied(loaded)
    logits = loaded(ids).logits
    old = [number for number in range(model.config.vocab_size) if number not in (3, 7)]
    torch.testing.assert_close(logits[..., old], expected[..., old])


def test_no_new_token_changes_nothing(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    model = load_model(tmp_path)
    size = model.config.vocab_size
    add_rows(model, {}, "mean", torch.Generator())
    assert model.config.vocab_size == size
