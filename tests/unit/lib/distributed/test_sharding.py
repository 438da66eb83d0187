"""A sharded model in two processes computes what a whole one does, with half of the weights in each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed

from lib.distributed.processes import leave
from lib.distributed.sharding import gather_in_forward, is_sharded, load_sharded, unsharded_state, whole_embeddings
from lib.models.loading import load_model
from lib.settings.training import AdapterSettings
from lib.training.adapters import add_adapter
from lib.training.layers.label_loss import use_label_loss
from tiny_model import make_tiny_model

pytestmark = pytest.mark.slow
INPUTS = {"input_ids": torch.arange(3, 19).view(2, 8), "labels": torch.arange(3, 19).view(2, 8)}
NEW = [5, 6, 7]
WAIT = 120  # seconds


def in_process(rank: int, directory: Path) -> None:
    """What one of two processes finds out about the model in `directory`, into a file there."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    distributed.init_process_group("gloo", init_method=f"file://{directory}/meeting", rank=rank, world_size=2)
    model = load_sharded(directory, torch.device("cpu"))
    found = {
        "whole": sum(parameter.numel() for parameter in model.parameters()),
        "here": sum(parameter.to_local().numel() for parameter in model.parameters()),
        "logits": model(INPUTS["input_ids"]).logits,
    }
    use_label_loss(model)
    with whole_embeddings(model):
        found["embedding"] = model.get_input_embeddings().weight.detach().clone()
        torch.manual_seed(0)
        trained = add_adapter(model, AdapterSettings(rank=4), NEW, "pretrain")
    gather_in_forward(model)
    for _ in range(2):
        trained.zero_grad()
        loss = trained(**INPUTS).loss
        loss.backward()
    found |= {"loss": loss.detach(), "is_sharded": is_sharded(trained), "state": sorted(unsharded_state(trained))}
    found["gradients"] = {name: p.grad for name, p in trained.named_parameters() if p.requires_grad}
    torch.save(found, directory / f"{rank}.pt")
    leave()


@pytest.mark.parametrize("tied", [True, False])
def test_two_processes_compute_what_one_does_with_whole_weights(tmp_path: Path, tied: bool) -> None:
    make_tiny_model(tmp_path, tied=tied)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=environment) for rank in range(2)
    ]
    assert [process.wait(WAIT) for process in processes] == [0, 0]
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]

    model = load_model(tmp_path)
    assert [one["whole"] for one in found] == [model.num_parameters()] * 2
    assert sum(one["here"] for one in found) == model.num_parameters()
    assert all(torch.equal(one["logits"], model(INPUTS["input_ids"]).logits) for one in found)
    assert all(torch.equal(one["embedding"], model.get_input_embeddings().weight) for one in found)

    use_label_loss(model)
    torch.manual_seed(0)
    trained = add_adapter(model, AdapterSettings(rank=4), NEW, "pretrain")
    loss = trained(**INPUTS).loss
    loss.backward()
    gradients = {name: p.grad for name, p in trained.named_parameters() if p.requires_grad}
    for one in found:
        assert one["is_sharded"]
        torch.testing.assert_close(one["loss"], loss.detach())
        torch.testing.assert_close(one["gradients"], gradients)
        assert set(gradients) <= set(one["state"])
        assert len(one["state"]) < len(trained.state_dict())


def test_a_model_in_one_piece_is_left_as_it_is(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    model = load_model(tmp_path)
    logits = model(INPUTS["input_ids"]).logits
    with whole_embeddings(model):
        assert model.get_input_embeddings().weight.shape == (400, 64)
    gather_in_forward(model)
    assert torch.equal(model(INPUTS["input_ids"]).logits, logits)
    assert not is_sharded(model)
    assert list(unsharded_state(model)) == list(model.state_dict())


if __name__ == "__main__":
    in_process(int(sys.argv[1]), Path(sys.argv[2]))
