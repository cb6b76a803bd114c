"""Write files so that they are there whole or not at all."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_IN_WORDS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.ENOENT)


@contextlib.contextmanager
def whole(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a hidden place beside `path` for a file or a folder, which becomes `path` when the block ends well.

    If the block fails, what is in the hidden place is removed. What another one of its name was, such as a link that
    somebody put there, is not written to.

    Args:
        path: Path of the file to make or replace, or of a folder that is not there.
        shared: whether other processes may make the same at the same time. Each then has a hidden place of its own,
            which is left if it is killed; otherwise the next call removes what a killed one has left.

    Raises:
        OSError: if it cannot be written; its `filename` is set.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial" if shared else f".{path.name}.partial")
    try:
        with naming(path):
            remove(partial)
            yield partial
            os.replace(partial, path)
    except BaseException:  # Ctrl-C as well
        with contextlib.suppress(OSError):
            remove(partial)
        raise


@contextlib.contextmanager
def whole_file(path: Path, *, shared: bool = False) -> Iterator[BinaryIO]:
    """Give a file, open for writing bytes, that becomes `path` when the block ends well and is on disk then.

    Args:
        path: Path of the file to make or replace.
        shared: see `whole`.

    Raises:
        OSError: see `whole`.
    """
    with whole(path, shared=shared) as partial, open(partial, "xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give the system's errors in a block the name of what it writes where they have none, as of a full disk.

    Raises:
        OSError: with its `filename` set; where a library tells one of these in words, as of `system_error`.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None and _known(str(error)):
            raise system_error(str(error), path) from error
        if error.errno is not None:  # a name in place of a library's own words would be all that it says
            error.filename = error.filename or str(path)
        raise


def system_error(message: str, path: Path) -> OSError:
    """Return the operating system's error that a library tells in words; what it does not know becomes "input/output
    error".

    Args:
        message: the library's.
        path: what was being written.
    """
    number = _known(message)
    return OSError(number or errno.EIO, os.strerror(number) if number else message, str(path))


def _known(message):
    """Return the number of the error that a message tells in words, or None."""
    return next((number for number in _IN_WORDS if os.strerror(number) in message), None)


def may_write(folder: Path) -> bool:
    """Return whether this user may write into a folder, by its rights and its file system's."""
    return os.access(folder, os.W_OK | os.X_OK)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, whole or not at all."""
    with whole_file(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, Any], *, compressed: bool = False) -> None:
    """Write `{name: array}` as a NumPy file that `read_arrays` reads, whole or not at all."""
    with whole_file(path) as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)


def mark_used(path: Path) -> None:
    """Let a file's time say that it was used now: what was not used for longest makes room. Others' files stay as they
    are.
    """
    with contextlib.suppress(PermissionError):
        os.utime(path)


def remove(path: Path) -> None:
    """Remove a file, a folder with all that is in it, or a link, and not what it leads to; nothing may be there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)
