"""One thread for each library: on few cores, threads that wait for one another make small tensors slow."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
