"""A progress bar that keeps what it was told, for tests of what users see of long work."""

import contextlib


class RecordedBars:
    """Keep every bar in `shown`: a list of (description, total, list of (done, note)).

    An instance is the factory, `bar(description, total, unit)`, that long work takes.
    """

    def __init__(self):
        self.shown = []

    @contextlib.contextmanager
    def __call__(self, description, total, unit):
        told = []
        self.shown.append((description, total, told))
        yield lambda done, note="": told.append((done, note))
