"""Number formats of tensors: llama.cpp's mixtures, and values that a format cannot hold."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType

from lib.core.errors import UserError
from lib.export.gguf_types import FileType, packed, type_of

WIDE, NARROW, ODD = (4, 512), (4, 96), (4, 40)


@pytest.mark.parametrize(
    ("name", "shape", "file_type", "tied", "wanted"),
    [
        ("blk.0.attn_norm.weight", (512,), "q4_k_m", False, "F32"),
        ("blk.0.ffn_gate_inp.weight", (4, 512), "q8_0", False, "F32"),
        ("blk.0.attn_q.weight", WIDE, "f16", False, "F16"),
        ("blk.0.attn_q.weight", WIDE, "q4_k_m", False, "Q4_K"),
        ("blk.0.attn_q.weight", NARROW, "q4_k_m", False, "Q5_0"),
        ("blk.0.attn_q.weight", ODD, "q4_k_m", False, "F16"),
        # Of 16 layers, the first two and the last two, and every third in between.
        *((f"blk.{layer}.attn_v.weight", WIDE, "q4_k_m", False, "Q6_K") for layer in (0, 1, 4, 7, 10, 13, 14, 15)),
        *((f"blk.{layer}.ffn_down.weight", WIDE, "q4_k_m", False, "Q4_K") for layer in (2, 3, 5, 6, 11, 12)),
        ("blk.0.ffn_down.weight", NARROW, "q4_k_m", False, "Q8_0"),
        ("output.weight", WIDE, "q4_k_m", False, "Q6_K"),
        ("token_embd.weight", WIDE, "q4_k_m", True, "Q6_K"),
        ("token_embd.weight", WIDE, "q4_k_m", False, "Q4_K"),
        ("token_embd.weight", WIDE, "q4_0", True, "Q8_0"),
        ("blk.3.attn_v.weight", WIDE, "q4_0", True, "Q4_0"),
    ],
)
def test_a_tensor_has_llama_cpps_type(
    name: str, shape: tuple[int, ...], file_type: FileType, tied: bool, wanted: str
) -> None:
    assert type_of(name, shape, file_type, 16, tied=tied).name == wanted


def test_values_that_16_bits_cannot_hold_are_refused() -> None:
    values = np.full((1, 32), 70_000, np.float32)
    with pytest.raises(UserError, match=r"output\.weight hold values that F16 cannot"):
        packed(values, GGMLQuantizationType.F16, "output.weight")
    assert packed(values, GGMLQuantizationType.F32, "output.weight").tobytes() == values.tobytes()
