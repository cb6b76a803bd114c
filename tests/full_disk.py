"""A disk that is full, for this process: whatever a file has, the system takes no more of it."""

import contextlib
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def full_disk(most: int = 0) -> Iterator[None]:
    """No file takes more than `most` bytes while the block lasts; Python leaves the signal to the system's error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
