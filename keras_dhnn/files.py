"""A folder that is there with all its files, or not at all."""

import contextlib
import fcntl
import os
import shutil

from keras_dhnn.errors import DataError


@contextlib.contextmanager
def atomic_folder(place):
    """Gives an empty hidden folder beside `place`, which takes that place when the block ends well.

    If the block fails, the hidden folder is removed. If the process is killed, it is left, and emptied by the next
    run. What was in `place` stays there until the new folder is whole and on disk.

    Args:
        place: Path of the folder to make or replace.

    Raises:
        DataError: if another process is making the same folder.
        OSError: if it cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    hidden, replaced = (place.with_name(f".{place.name}.{state}") for state in ("preparing", "replaced"))
    hidden.mkdir(exist_ok=True)
    lock = os.open(hidden, os.O_RDONLY)
    try:
        _lock(lock, hidden, place)
        if replaced.exists() and not place.exists():
            replaced.rename(place)  # a run was killed between the two steps of _move
        try:
            for left in hidden.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield hidden
            _move(hidden, place, replaced)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _lock(lock, hidden, place):
    """Takes the folder for this process; the lock ends with the process, however that ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = hidden.exists() and os.path.samestat(os.fstat(lock), hidden.stat())
    except BlockingIOError:
        ours = False
    if not ours:
        raise DataError(f"Another process is preparing {place}. Wait until it has finished.")


def _move(hidden, place, replaced):
    for path in (*hidden.rglob("*"), hidden):
        _sync(path)
    shutil.rmtree(replaced, ignore_errors=True)
    if place.exists():
        place.rename(replaced)
    hidden.rename(place)
    _sync(place.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
