"""Lock files until the process that holds them ends, however that ends; the one file that asks for the system."""

import errno
import logging
import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

# What file systems answer that have no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_LOG = logging.getLogger(__name__)
_said: list[str] = []


def lock(descriptor: int, *, wait: bool = False) -> None:
    """Take an open file, and where there is `fcntl` also an open folder, for this process alone.

    Where the file system has no locks (Lustre mounted without them, some of FUSE) nothing is taken: work goes on, and
    one notice says that two processes are not told of each other there.

    Args:
        descriptor: of the file; closing it, or the end of the process, gives the lock back.
        wait: whether to wait for another process that has it.

    Raises:
        BlockingIOError: if another process has it and `wait` is False.
    """
    try:
        _take(descriptor, wait)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _say_once(
            f"The file system has no locks ({error.strerror}): two commands that write into the same folder are not "
            "told of each other. See to it that one at a time does."
        )


def _say_once(text):
    if text not in _said:
        _said.append(text)
        _LOG.warning("%s", text)


def _take(descriptor, wait):
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return
    # One byte far behind the content, since Windows keeps others from reading what is locked.
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, 1 << 30, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    except PermissionError as error:
        raise BlockingIOError(*error.args) from error
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)
