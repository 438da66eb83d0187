"""One thread for each library: on few cores, threads that wait for one another make small tensors slow.

Examples of property tests have no time limit: a busy machine makes any of them slow.
"""

import os

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes in a test's id by their length: archives hold times, and every process must collect the same ids."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None
