"""Make folders that are there whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from keras_dhnn.errors import DataError
from keras_dhnn.files import locks
from keras_dhnn.files.writing import naming, remove


@contextlib.contextmanager
def atomic_folder(place: Path) -> Iterator[Path]:
    """Give an empty hidden folder beside `place`, which takes that place when the block ends well.

    If the block fails, the hidden folder is removed. If the process is killed, it is left, and emptied by the next
    run. What was in `place` stays there until the new folder is whole and on disk.

    Args:
        place: Path of the folder to make or replace.

    Raises:
        DataError: if another process is making the same folder, or a link stands where the hidden one belongs.
        OSError: if it cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    hidden, replaced = (place.with_name(f".{place.name}.{state}") for state in ("preparing", "replaced"))
    with contextlib.suppress(FileExistsError):
        hidden.mkdir()
    lock = _own_folder(hidden)
    try:
        _lock(lock, hidden, place)
        if replaced.exists() and not place.exists() and not replaced.is_symlink():
            replaced.rename(place)  # a run was killed between the two steps of _move
        try:
            with naming(place):
                _empty(hidden)
                yield hidden
                _move(hidden, place, replaced)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _own_folder(hidden: Path) -> int:
    """Return a descriptor of the hidden folder itself: whoever plants a link in its place names what would be
    emptied.
    """
    try:
        return os.open(hidden, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError as error:
        raise DataError(
            f"{hidden} is a link or a file, where a folder of ours is expected. Look where it comes from, and remove "
            "it by hand."
        ) from error


def _lock(lock: int, hidden: Path, place: Path) -> None:
    """Take the folder for this process; the lock ends with the process, however that ends."""
    try:
        locks.lock(lock)
        ours = os.path.samestat(os.fstat(lock), os.lstat(hidden))
    except (BlockingIOError, FileNotFoundError):
        ours = False
    if not ours:
        raise DataError(f"Another process is preparing {place}. Wait until it has finished.")


def _empty(folder: Path) -> None:
    for left in folder.iterdir():
        # Of a link only itself goes; rmtree refuses links, also one that is put there this moment.
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


def _move(hidden: Path, place: Path, replaced: Path) -> None:
    for path in (*hidden.rglob("*"), hidden):
        _sync(path)
    remove(replaced)
    if place.exists():
        place.rename(replaced)
    hidden.rename(place)
    _sync(place.parent)
    remove(replaced)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
