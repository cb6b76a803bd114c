"""Show the progress of long work, or nothing to those who want no bar.

A bar is a context manager factory, `bar(description, total, unit)`; the context gives `update(done, note="")`.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

Update = Callable[..., None]
Bar = Callable[[str, int | None, str], AbstractContextManager[Update]]


@contextlib.contextmanager
def no_bar(description: str, total: int | None, unit: str) -> Iterator[Update]:
    """Show nothing: the bar of quiet callers."""
    yield lambda done, note="": None


@contextlib.contextmanager
def show_progress(description: str, total: int | None, unit: str) -> Iterator[Update]:
    """Show a bar with the time left, on stderr or in a notebook."""
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=description, unit=f" {unit}s", dynamic_ncols=True) as shown:

        def update(done: int, note: str = "") -> None:
            shown.set_postfix_str(note, refresh=False)
            shown.update(done - shown.n)

        yield update
