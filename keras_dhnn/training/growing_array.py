"""Write an array on disk row by row, so that what was written before a kill need not be computed again."""

import contextlib
import io
import logging
import math
import os
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.files import naming
from keras_dhnn.files.checksums import crc32
from keras_dhnn.files.locks import lock

_CHECK = 4  # bytes of the checksum
_LOG = logging.getLogger(__name__)
_WAIT = 0.5  # seconds between two looks at what another process has written


class GrowingArray:
    """Write a NumPy file from its first row to its last.

    The file says itself how far it is: a row that a kill has cut off is written again. Behind the last row stands a
    CRC-32 of all, which NumPy does not look at.

    Args:
        path: of the finished file; until then it is the hidden file `.NAME.growing` beside it.
        shape: of the whole array.
        dtype: of it.

    Attributes:
        done: rows that are written.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type):
        self.path, self.shape = path, tuple(shape)
        self.dtype: np.dtype = np.dtype(dtype)
        self._row = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._file: Any = None
        self.done, self._check = 0, 0

    @property
    def growing(self) -> Path:
        """Return where it is until it is finished."""
        return self.path.with_name(f".{self.path.name}.growing")

    @contextlib.contextmanager
    def own(self, waiting: Callable[[int], None] | None = None) -> Iterator[bool]:
        """Hold the file for this process, as long as the block lasts; wait while another one does.

        Args:
            waiting: called now and then with the number of rows that the other has written.

        Yields:
            Whether there are rows to write: False if the file is finished.

        Raises:
            OSError: if it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while not self.path.is_file():
            with open(self.growing, "ab") as file:
                if not _locked(file, self.growing):
                    if waiting:
                        waiting(self._rows(file))
                    time.sleep(_WAIT)
                elif self.path.is_file():  # it was finished while we opened this
                    self.growing.unlink()
                else:
                    with naming(self.path):
                        self._open(file)
                    yield True
                    return
        yield False

    def append(self, rows: np.ndarray) -> None:
        """Write the next rows."""
        content = np.ascontiguousarray(rows, self.dtype).data.cast("B")
        with naming(self.path):
            self._file.write(content)
            self._file.flush()
        self._check = zlib.crc32(content, self._check)
        self.done += len(rows)

    def finish(self) -> None:
        """Make the finished file of it; all rows must have been written.

        Raises:
            ValueError: if they were not.
        """
        if self.done != self.shape[0]:
            raise ValueError(f"{self.path}: {self.done} of {self.shape[0]} rows were written.")
        with naming(self.path):
            self._file.write(self._check.to_bytes(_CHECK, "big"))
            self._file.flush()
            os.fsync(self._file.fileno())
            os.replace(self.growing, self.path)

    def drop_damaged(self) -> None:
        """Remove the finished file, and say so, if it is not what was written; files of before have no checksum."""
        if not self.path.is_file() or self._sound():
            return
        _LOG.warning("%s is damaged: it is computed anew.", self.path)
        self.path.unlink(missing_ok=True)

    def _sound(self):
        header = self._header()
        end = len(header) + self.shape[0] * self._row
        with open(self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size not in (end, end + _CHECK) or file.read(len(header)) != header:
                return False
            return size == end or crc32(file, end - len(header)).to_bytes(_CHECK, "big") == file.read(_CHECK)

    def _header(self):
        described = np.lib.format.header_data_from_array_1_0(np.empty((0, *self.shape[1:]), self.dtype))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, described | {"shape": self.shape})
        return header.getvalue()

    def _open(self, file):
        header = self._header()
        self._file, self.done = file, self._rows(file)
        with open(self.growing, "rb") as begun:
            if begun.read(len(header)) == header:
                self._check = crc32(begun, self.done * self._row)
            else:
                self.done, self._check = 0, 0
                file.truncate(0)
                file.write(header)
                file.flush()
        file.truncate(len(header) + self.done * self._row)

    def _rows(self, file):
        rows = max(0, os.fstat(file.fileno()).st_size - len(self._header())) // self._row
        return min(rows, self.shape[0])


def _locked(file, path):
    """Take a file for this process; the lock ends with the process, however that ends."""
    try:
        lock(file.fileno())
    except BlockingIOError:
        return False
    # Another process may have finished and moved the file between its opening and its locking.
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())
