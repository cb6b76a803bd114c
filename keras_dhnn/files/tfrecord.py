"""Write TFRecord files, and notice when the disk did not take all of one."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from keras_dhnn.files.writing import system_error

# TFRecord frames a record by its length and a checksum of that (12 bytes), and a checksum of its content (4 bytes).
_HEADER, _FRAME = 12, 16


@contextlib.contextmanager
def record_writer(path: Path) -> Iterator[Callable[[bytes], int]]:
    """Give a function that writes one record, bytes, to a new TFRecord file, and returns the place of its first byte.

    Raises:
        OSError: if the disk is full or not writable; TensorFlow's own errors come as this.
    """
    end = 0

    def write(record: bytes) -> int:
        nonlocal end
        writer.write(record)
        end += len(record) + _FRAME
        return end - len(record) - _FRAME + _HEADER

    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            yield write
    except tf.errors.OpError as error:
        raise system_error(error.message, path) from error
    if path.stat().st_size != end:
        # A writer that could not write everything does not say so.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
