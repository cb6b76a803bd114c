"""Let one process at a time write into a folder, and find whether it is alive or dead."""

import contextlib
import datetime
import json
import logging
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from keras_dhnn.errors import RunError
from keras_dhnn.files.links import refuse_links
from keras_dhnn.files.locks import lock
from keras_dhnn.files.writing import naming

OWNER = ".owner.json"
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def owned(folder: Path, *, wait: bool = False, links: bool = False) -> Iterator[None]:
    """Hold a folder for this process while the block lasts, so that no second one writes into it.

    The lock is the operating system's: it ends with its process, however that ends. Beside it `.owner.json` says who
    has it, or had it last.

    Args:
        folder: it must exist.
        wait: whether to wait for another process, instead of refusing.
        links: whether there may be links in the folder; otherwise they are refused, which would lead our writing and
            removing elsewhere.

    Raises:
        DataError: naming the first link in it, unless `links`.
        RunError: naming the process that has it, unless `wait`.
        OSError: if the folder cannot be written.
    """
    descriptor = _locked(Path(folder), wait)
    try:
        with naming(Path(folder) / OWNER):
            _sign(descriptor)
        if not links:
            refuse_links(Path(folder))
        yield
    finally:
        os.close(descriptor)


def _locked(folder, wait):
    """Return a descriptor of the folder's lock file, locked."""
    while True:
        descriptor = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            _lock(descriptor, folder, wait)
            # Whoever had it may have removed the folder, and this file with it.
            if (folder / OWNER).exists() and os.path.samestat(os.fstat(descriptor), os.stat(folder / OWNER)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor, folder, wait):
    try:
        lock(descriptor)
    except BlockingIOError:
        who = _signature(descriptor)
        if not wait:
            raise RunError(f"{folder} is being written by {who}. Wait until it has finished, or stop it.") from None
        _LOG.warning("%s is being written by %s. Waiting until it has finished.", folder, who)
        lock(descriptor, wait=True)


def _sign(descriptor):
    who = {"process": os.getpid(), "host": platform.node(), "since": _now()}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(who) + "\n").encode(), 0)


def _signature(descriptor):
    """Return who signed, in words; the file may be empty for a moment."""
    try:
        who = json.loads(os.pread(descriptor, 1000, 0))
        return f"process {who['process']} on {who['host']}, since {who['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
