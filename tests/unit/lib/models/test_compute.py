"""What computing on a processor sets up, and weights that are rounded once."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lib.models.compute import FORMATS, Precision, arithmetic, round_linear_weights
from lib.models.loading import load_model
from tiny_families import FAMILIES, OTHERS
from tiny_model import VOCABULARY, make_tiny_model
from workspace import PROJECT

PROGRAM = """
import resource, sys
import torch
sys.path.insert(0, "scripts")
from lib.models.compute import pick_device
torch.set_num_threads(1)
if {keeps}:
    pick_device(0)
for step in range(40):
    if step == 30:  # some tensors later, the heap is as large as it gets
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)  # 64 MB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_that_tensors_free_is_used_again() -> None:
    faults = [
        int(subprocess.check_output([sys.executable, "-c", PROGRAM.format(keeps=keeps)], cwd=PROJECT))
        for keeps in (False, True)
    ]
    # Pages that the system had to give: of ten tensors, or of none.
    assert faults[1] < 0.1 * faults[0]


@pytest.mark.parametrize("is_tied", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_weights_that_are_rounded_once_give_the_same_bits(tmp_path: Path, precision: Precision, is_tied: bool) -> None:
    make_tiny_model(tmp_path, tied=is_tied)
    whole, rounded = load_model(tmp_path), load_model(tmp_path)
    round_linear_weights(rounded, precision)
    products = {module.weight.dtype for module in rounded.model.modules() if type(module) is torch.nn.Linear}
    assert products == {FORMATS[precision]}
    assert rounded.get_input_embeddings().weight.dtype == torch.float32
    assert rounded.get_output_embeddings().weight.dtype == (torch.float32 if is_tied else FORMATS[precision])
    ids = torch.randint(VOCABULARY, (2, 50), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), arithmetic(precision, whole.device):
        assert torch.equal(rounded(ids).logits, whole(ids).logits)


@pytest.mark.parametrize("family", [*FAMILIES, *OTHERS])
def test_weights_of_every_family_can_be_rounded_once(tmp_path: Path, family: str) -> None:
    (FAMILIES | OTHERS)[family](tmp_path)
    whole, rounded = load_model(tmp_path), load_model(tmp_path)
    round_linear_weights(rounded, "bf16")
    ids = torch.randint(5, 100, (1, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), arithmetic("bf16", whole.device):
        assert torch.equal(rounded(ids).logits, whole(ids).logits)
        answers = [model.generate(ids, max_new_tokens=4, do_sample=False).tolist() for model in (rounded, whole)]
    assert answers[0] == answers[1]
