"""Decoder layers, and the loss of scores, as compiled code (torch.compile): what is done number by number is fused.

Layers of a kind are compiled once: it takes seconds where a whole model takes minutes, and what lies outside of them
(rows of new tokens, masks of packed examples, which positions have labels) stays as it is.
"""

import os
import shutil
import sysconfig
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch._inductor import config as inductor
from transformers import PreTrainedModel

from lib.core.errors import UserError

BACKEND = "inductor"
COMPILERS = ("cc", "gcc", "clang")


def compile_layers(model: PreTrainedModel, stage: str, lengths_vary: bool) -> None:
    """Compile the decoder layers of `model`, in place, as they are first used; UserError where nothing can compile.

    With `lengths_vary`, one code serves rows of all lengths, so that what is computed does not depend on which came
    first. `stage` is the settings section that the error names.
    """
    if missing := _missing():
        raise UserError(f"settings: {stage}.compile needs {missing}, which is not here; install it, or set it to false")
    inductor.deterministic = True  # instead of the kernel that happens to be faster this time
    warnings.filterwarnings("ignore", module=r"torch\._inductor")  # what it could do better is nothing for a user
    for layer in decoder_layers(model):
        layer.compile(dynamic=lengths_vary, backend=BACKEND)


def compiled(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """`function` compiled as it is first used, one code for tensors of all sizes."""
    return torch.compile(function, dynamic=True, backend=BACKEND)


def decoder_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The modules that transformers keeps whole on a device."""
    names = set(model._no_split_modules or ())
    return [module for module in model.modules() if type(module).__name__ in names]


def _missing() -> str | None:
    """What generated code is built with and is not there."""
    if not (os.environ.get("CC") or any(map(shutil.which, COMPILERS))):
        return "a C compiler (gcc)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "Python.h (python3-dev)"
    return None
