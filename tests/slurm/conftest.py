"""The tests here need a SLURM, which `.ci/run` sets up (setup.sh); elsewhere they are not collected."""

import os

collect_ignore = [] if os.environ.get("SLURM_TESTS") == "1" else ["test_slurm.py"]
