"""What computing on a processor sets up."""

import subprocess
import sys

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
