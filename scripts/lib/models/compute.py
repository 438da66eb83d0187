"""The device and the precision that models compute in."""

import ctypes
import os
from contextlib import nullcontext
from typing import Literal

import torch
from torch import nn

from lib.core.errors import UserError
from lib.distributed.processes import local_rank

Precision = Literal["fp32", "bf16", "fp16"]

FORMATS: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Parameters of glibc's mallopt (malloc.h), and the largest value that they take.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_BYTES = 2**31 - 1


def use_job_threads() -> None:
    """Compute with as many threads as Snakemake gives the job (OMP_NUM_THREADS)."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))


def pick_device(gpu: int) -> torch.device:
    """This process's device when a node has `gpu` GPUs, 0 for none; UserError when fewer than that are there.

    From then on a GPU computes the same every time, and a processor keeps the memory that tensors free.
    """
    if gpu == 0:
        _keep_freed_memory()
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(f"settings: gpu is {gpu}, but no GPU can be used here; set gpu to 0 or check the driver")
    if gpu > torch.cuda.device_count():
        raise UserError(f"settings: gpu is {gpu}, but {torch.cuda.device_count()} can be used here; lower gpu")
    _compute_the_same_every_time()
    return torch.device("cuda", local_rank())


def _keep_freed_memory() -> None:
    """Have glibc, where it is there, keep large blocks that are freed instead of giving them back to the system.

    A training step frees and takes scores of 50 MB several times, and the system has to clear every page that it gives.
    A step of the demo takes 11 % less time so, and 5 % more memory (docs/experiments.md).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            mallopt(parameter, _MOST_BYTES)


def _compute_the_same_every_time() -> None:
    """Have CUDA sum in a fixed order; by default, some kernels add as their threads come."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # It would write every tensor once before it is used, to show mistakes.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def pick_precision(requested: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> Precision:
    """`auto` resolved for the hardware: bf16 where the processor computes in it, then fp16 on a GPU, else fp32."""
    if requested != "auto":
        return requested
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def arithmetic(precision: Precision, device: torch.device) -> torch.autocast | nullcontext[None]:
    """A block in which matrix products are computed in `precision`."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=FORMATS[precision])


def round_linear_weights(model: nn.Module, precision: Precision) -> None:
    """Keep the weights of linear layers as `arithmetic(precision)` takes them, in place.

    Results are the same bits as with weights in 32 bits, which would be rounded again for every token of an answer.
    Embeddings, which are no product, stay as they are, and with them a head that shares their weights.
    """
    if precision == "fp32":
        return
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    for module in model.modules():
        if type(module) is nn.Linear and id(module.weight) not in embeddings:
            module.to(FORMATS[precision])
