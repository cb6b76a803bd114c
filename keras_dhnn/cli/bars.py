"""Show progress on stderr, with the time left."""

import contextlib
import functools
import sys
from collections.abc import Callable

from tqdm import tqdm

from keras_dhnn.cli.interruption import interruptions_wait, raise_waiting
from keras_dhnn.cli.printing import printable
from keras_dhnn.progress import Bar


def bars(quiet: bool, *, delay: float = 0) -> Bar:
    """Return a factory of progress bars, `bar(description, total, unit)`: contexts that give `update(done, note)`.

    Ctrl-C is raised by the next update (`interruption.py`).

    Args:
        quiet: whether nothing is shown.
        delay: seconds after which a bar is shown; what is done before leaves no line.
    """
    return functools.partial(_bar, quiet, delay)


def notices(quiet: bool) -> Callable[[str], None]:
    """Return what tells the user of decisions that were taken for them: on stderr, or nothing if `quiet`."""
    return (lambda text: None) if quiet else lambda text: print(printable(text, lines=True), file=sys.stderr)


@contextlib.contextmanager
def _bar(quiet, delay, description, total, unit):
    interval = 0.2 if sys.stderr.isatty() else 10
    shown = tqdm(
        total=total,
        desc=description,
        unit=f" {unit}s",
        disable=quiet,
        mininterval=interval,
        dynamic_ncols=True,
        delay=delay,
    )
    with interruptions_wait(), shown as progress:
        latest = ""

        def update(done: int, note: str = "") -> None:
            nonlocal latest
            raise_waiting()
            if note != latest:
                progress.set_postfix_str(note, refresh=False)
                latest = note
            progress.update(done - progress.n)

        yield update
