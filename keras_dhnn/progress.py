"""Progress of long work: what a bar is, and the bar of those who want none.

A bar is a context manager factory, `bar(description, total, unit)`; the context gives `update(done, note="")`.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

Update = Callable[..., None]
Bar = Callable[[str, int, str], AbstractContextManager[Update]]


@contextlib.contextmanager
def no_bar(description: str, total: int, unit: str) -> Iterator[Update]:
    """Show nothing: the bar of quiet callers."""
    yield lambda done, note="": None
