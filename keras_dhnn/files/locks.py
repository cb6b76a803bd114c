"""Lock files until the process that holds them ends, however that ends; the one file that asks for the system."""

import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt


def lock(descriptor: int, *, wait: bool = False) -> None:
    """Take an open file, and where there is `fcntl` also an open folder, for this process alone.

    Args:
        descriptor: of the file; closing it, or the end of the process, gives the lock back.
        wait: whether to wait for another process that has it.

    Raises:
        BlockingIOError: if another process has it and `wait` is False.
        OSError: where the file system knows no locks.
    """
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
