"""Take Ctrl-C where it can be taken, and tell its user what happens.

Python raises KeyboardInterrupt wherever the program stands. Within TensorFlow that may be a finaliser, which drops it,
or a function being traced, which turns it into an error of another kind. So, while work shows its progress, an
interruption waits for the next step of it.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import typer

_waiting: list[bool] = []


@contextlib.contextmanager
def interruptions_wait() -> Iterator[None]:
    """Hold the first interruption back until `raise_waiting`, or the end of the block, raises it; a second comes at
    once.

    A process that ignores interruptions, as background jobs of scripts do, or has a handler of its own, is left as it
    is; so is a thread beside the main one.
    """
    beside = threading.current_thread() is not threading.main_thread()
    if beside or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _wait)
    try:
        yield
        raise_waiting()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _waiting.clear()


@contextlib.contextmanager
def ends_well(how: str | Callable[[], str]) -> Iterator[None]:
    """End an interruption with exit status 130, and say `how` to go on: a text, or what makes one at that moment."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nInterrupted. {how if isinstance(how, str) else how()}", file=sys.stderr)
        raise typer.Exit(130) from None


def raise_waiting() -> None:
    """Raise KeyboardInterrupt if an interruption is waiting."""
    if _waiting:
        raise KeyboardInterrupt


def _wait(number, frame):
    raise_waiting()
    _waiting.append(number)
    # Not by print: a handler may run in the middle of one.
    os.write(sys.__stderr__.fileno(), b"\nStopping after this step. Ctrl-C again stops at once.\n")
