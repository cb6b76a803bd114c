"""Take Ctrl-C and SIGTERM where they can be taken, and tell their sender what happens.

Python raises KeyboardInterrupt wherever the program stands. Within TensorFlow that may be a finaliser, which drops it,
or a function being traced, which turns it into an error of another kind. So, while work shows its progress, an
interruption waits for the next step of it. SIGTERM, which `timeout`, systemd, Docker and Kubernetes send, is taken as
Ctrl-C is: a process that has no handler of it would end at once, or as the first one of a container not at all.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

_INTERRUPTED, _TERMINATED = 130, 143  # as shells count them: 128 and the signal's number
_waiting: list[int] = []


class Terminated(KeyboardInterrupt):
    """Report that the process was told to end by SIGTERM."""


class InterruptibleVerbs(TyperGroup):
    """Run a verb that may be interrupted; typer itself knows exit status 130, of Ctrl-C, alone."""

    def invoke(self, ctx: Any) -> Any:
        """Run it; `Terminated` is exit status 143."""
        try:
            return super().invoke(ctx)
        except Terminated:
            raise typer.Exit(_TERMINATED) from None


@contextlib.contextmanager
def termination_interrupts() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` while the block lasts, unless the process ignores it or has a handler of it."""
    if _beside() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def interruptions_wait() -> Iterator[None]:
    """Hold the first interruption back until `raise_waiting`, or the end of the block, raises it; a second comes at
    once.

    A process that ignores interruptions, as background jobs of scripts do, or has a handler of its own, is left as it
    is; so is a thread beside the main one.
    """
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
    ours = {} if _beside() else {one: how for one, how in handlers.items() if signal.getsignal(one) is how}
    if not ours:
        yield
        return
    for number in ours:
        signal.signal(number, _wait)
    try:
        yield
        raise_waiting()
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        _waiting.clear()


@contextlib.contextmanager
def ends_well(how: str | Callable[[], str]) -> Iterator[None]:
    """End an interruption with exit status 130, or 143 of SIGTERM, and say `how` to go on: a text, or what makes one at
    that moment.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        what, status = ("Terminated", _TERMINATED) if isinstance(error, Terminated) else ("Interrupted", _INTERRUPTED)
        print(f"\n{what}. {how if isinstance(how, str) else how()}", file=sys.stderr)
        raise typer.Exit(status) from None


def raise_waiting() -> None:
    """Raise KeyboardInterrupt if an interruption is waiting, `Terminated` if the first one is SIGTERM."""
    if _waiting:
        raise Terminated if _waiting[0] == signal.SIGTERM else KeyboardInterrupt


def _beside():
    """Return whether this is a thread beside the main one, where no handler can be set."""
    return threading.current_thread() is not threading.main_thread()


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _wait(number, frame):
    raise_waiting()
    _waiting.append(number)
    again = b"A second SIGTERM" if number == signal.SIGTERM else b"Ctrl-C again"
    # Not by print: a handler may run in the middle of one.
    os.write(sys.__stderr__.fileno(), b"\nStopping after this step. " + again + b" stops at once.\n")
