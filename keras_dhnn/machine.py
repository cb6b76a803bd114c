"""Ask what this machine gives to this process."""

import os


def cores() -> int:
    """Return how many processor cores this process may use, which is how many threads TensorFlow computes with."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
