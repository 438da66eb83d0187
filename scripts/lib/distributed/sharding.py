"""A model whose weights are spread over the processes of a run (FSDP2), each layer whole only while it computes.

transformers shards the model as it is read, so that no process ever holds all of it. What is trained beside frozen
weights is added afterwards and stays whole in every process: it is small, its gradients are averaged as without
sharding, and it is saved and resumed like that, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.distributed import DistributedConfig, mixin
from transformers.distributed.utils import TransformersDeviceMesh

from lib.core.integrity import require_intact
from lib.distributed.processes import number_of_processes


def load_sharded(directory: Path, device: torch.device) -> PreTrainedModel:
    """The causal language model saved in `directory`, frozen, each process with its part of every weight on `device`.

    All processes of the run call this together, and the model from then on: every forward pass is one of all of them.
    """
    with _meshes_of(device):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            require_intact(directory, "*.safetensors", "*.json"),
            trust_remote_code=False,
            use_safetensors=True,
            dtype="auto",
            distributed_config=DistributedConfig(fsdp_size=number_of_processes()),
        )
    # What torch gathers keeps to its first gathering whether it needs a gradient, and the first to run counts as the
    # outermost module.
    model.requires_grad_(False)
    with torch.no_grad():
        model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=device), use_cache=False)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
    return model


@contextmanager
def _meshes_of(device: torch.device) -> Iterator[None]:
    """Have transformers shard over this kind of device; it would take the one that torch was built for."""

    def initialize(config: DistributedConfig) -> tuple[torch.device, TransformersDeviceMesh]:
        shape = (1, 1, config.fsdp_size, 1)
        dense = init_device_mesh(device.type, shape, mesh_dim_names=("pp", "dp_replicate", "fsdp", "tp"))
        expert = init_device_mesh(device.type, shape, mesh_dim_names=("pp", "dp_replicate", "efsdp", "ep"))
        return device, TransformersDeviceMesh(dense, expert)

    original = mixin.initialize_distributed_mesh
    mixin.initialize_distributed_mesh = initialize
    try:
        yield
    finally:
        mixin.initialize_distributed_mesh = original


def gather_in_forward(model: PreTrainedModel) -> None:
    """Have `model.forward`, which PEFT calls instead of `model`, gather weights as a call does, if it is sharded."""
    register_fsdp_forward_method(model, "forward")


@contextmanager
def whole_embeddings(model: PreTrainedModel) -> Iterator[None]:
    """A block in which the weights of the embedding and the head can be read as in a model that is not sharded."""
    holders = [
        module
        for module in (model, model.get_input_embeddings(), model.get_output_embeddings())
        if isinstance(module, FSDPModule)
    ]
    for module in holders:
        module.unshard()
    try:
        yield
    finally:
        for module in holders:
            module.reshard()


def unsharded_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What of `model.state_dict()` is whole in every process."""
    return {name: tensor for name, tensor in model.state_dict().items() if not isinstance(tensor, DTensor)}


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether weights of `model` are spread over the processes."""
    return any(isinstance(module, FSDPModule) for module in model.modules())
