"""Number formats of the tensors of a GGUF file: 16 bits, or fewer in blocks with scales, as llama.cpp mixes them."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType
from gguf.quants import quantize

from lib.core.errors import UserError

FileType = Literal["f16", "q8_0", "q4_0", "q4_k_m"]
FILE_TYPES = {
    "f16": LlamaFileType.MOSTLY_F16,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
    "q4_0": LlamaFileType.MOSTLY_Q4_0,
    "q4_k_m": LlamaFileType.MOSTLY_Q4_K_M,
}
F32, F16, Q4_0, Q5_0, Q8_0, Q4_K, Q6_K = (
    GGMLQuantizationType[name] for name in ("F32", "F16", "Q4_0", "Q5_0", "Q8_0", "Q4_K", "Q6_K")
)
# Where a row does not fill the blocks of a format, the next one is taken.
SMALLER_BLOCKS = {Q4_K: Q5_0, Q6_K: Q8_0, Q4_0: F16, Q5_0: F16, Q8_0: F16}
LARGEST_F16 = float(np.finfo(np.float16).max)
LAYER = re.compile(r"blk\.(\d+)\.")


def check_available(file_type: FileType) -> None:
    """Raise UserError when the library that quantizes for `file_type` is not installed."""
    if file_type == "q4_k_m":
        try:
            import libgguf  # noqa: F401
        except ImportError:
            raise UserError(
                "gguf-q4_k_m needs the package libgguf, which is not installed: `make export` installs it where it "
                "is published for the machine; elsewhere take gguf-q4_0"
            ) from None


def type_of(name: str, shape: Sequence[int], file_type: FileType, layers: int, *, tied: bool) -> GGMLQuantizationType:
    """The format of a tensor in a file of `file_type`, of a model with as many `layers`.

    `tied` says whether the embedding is the head, too. For q4_k_m as in llama.cpp (src/llama-quant.cpp).
    """
    if len(shape) == 1 or "ffn_gate_inp" in name:
        return F32
    wanted = {"f16": F16, "q8_0": Q8_0, "q4_0": Q4_0, "q4_k_m": Q4_K}[file_type]
    is_head = name == "output.weight" or (tied and name == "token_embd.weight")
    if is_head and file_type == "q4_0":
        wanted = Q8_0
    if file_type == "q4_k_m" and (is_head or (_takes_more("attn_v", "ffn_down", name=name, layers=layers))):
        wanted = Q6_K
    while shape[-1] % GGML_QUANT_SIZES[wanted][0]:
        wanted = SMALLER_BLOCKS[wanted]
    return wanted


def packed(values: npt.NDArray[np.float32], kind: GGMLQuantizationType, name: str) -> npt.NDArray[np.generic]:
    """Values in a format, as bytes unless it is f16 or f32. UserError for values that it cannot hold."""
    if not np.isfinite(values).all() or (kind == F16 and np.abs(values).max(initial=0) > LARGEST_F16):
        raise UserError(f"the weights of {name} hold values that {kind.name} cannot; serve the safetensors")
    if kind in (Q4_K, Q6_K):
        import libgguf

        rows = libgguf.quantize_rows(values.reshape(-1, values.shape[-1]), int(kind))
        return np.ascontiguousarray(rows).reshape(*values.shape[:-1], -1)
    return np.ascontiguousarray(quantize(values, kind))


def _takes_more(*parts: str, name: str, layers: int) -> bool:
    """Whether a tensor is one of `parts` in a layer that matters more: the first and last eighth, then every third."""
    found = LAYER.match(name)
    if not found or not any(part in name for part in parts):
        return False
    layer, eighth = int(found[1]), layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
