"""The device and the precision that models compute in."""

import os
from contextlib import nullcontext
from typing import Literal

import torch

from lib.core.errors import UserError
from lib.distributed.processes import local_rank

Precision = Literal["fp32", "bf16", "fp16"]


def use_job_threads() -> None:
    """Compute with as many threads as Snakemake gives the job (OMP_NUM_THREADS)."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))


def pick_device(gpu: int) -> torch.device:
    """This process's device when a node has `gpu` GPUs, 0 for none; UserError when fewer than that are there.

    From then on a GPU computes the same every time.
    """
    if gpu == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(f"settings: gpu is {gpu}, but no GPU can be used here; set gpu to 0 or check the driver")
    if gpu > torch.cuda.device_count():
        raise UserError(f"settings: gpu is {gpu}, but {torch.cuda.device_count()} can be used here; lower gpu")
    _compute_the_same_every_time()
    return torch.device("cuda", local_rank())


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
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
