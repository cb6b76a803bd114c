"""Ask what this machine gives to this process."""

import contextlib
import ctypes
import gc
import os

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def cores() -> int:
    """Return how many processor cores this process may use, which is how many threads TensorFlow computes with."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Return how many bytes of memory this machine has, 0 where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def raise_open_files(wanted: int) -> int | None:
    """Return how many files this process may have open, after raising that to `wanted` where the system lets it.

    Returns:
        The number, which may be less or more than `wanted`; None where there is no limit, or none that is told.
    """
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    wanted = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft


def give_memory_back() -> None:
    """Return memory to the system where its C library can: what nothing reaches any more, and what was free."""
    gc.collect()
    # glibc's alone; it keeps what was freed below something that is still in use.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
