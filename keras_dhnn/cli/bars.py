"""Progress on stderr, with the time left."""

import contextlib
import functools
import sys

from tqdm import tqdm


def bars(quiet):
    """A factory of progress bars, `bar(description, total, unit)`: contexts that give `update(done, note)`."""
    return functools.partial(_bar, quiet)


@contextlib.contextmanager
def _bar(quiet, description, total, unit):
    interval = 0.2 if sys.stderr.isatty() else 10
    with tqdm(
        total=total, desc=description, unit=f" {unit}s", disable=quiet, mininterval=interval, dynamic_ncols=True
    ) as progress:
        latest = ""

        def update(done, note=""):
            nonlocal latest
            if note != latest:
                progress.set_postfix_str(note, refresh=False)
                latest = note
            progress.update(done - progress.n)

        yield update
