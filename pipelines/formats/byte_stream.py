"""Read part of a file from front to back, as it is or inflated, never more of it in memory than is asked for."""

import zlib
from typing import BinaryIO

from keras_dhnn.errors import DataError

_CHUNK = 1 << 18


class FileBytes:
    """Read the bytes of an open file from `start` to `end`.

    Args:
        file: opened for reading bytes.
        start: first byte.
        end: byte after the last.

    Attributes:
        taken: bytes read or skipped so far.
    """

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._left, self.taken = file, end - start, 0
        file.seek(start)

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes.

        Raises:
            DataError: if there are fewer.
        """
        content = self._file.read(count) if count <= self._left else b""
        if len(content) != count:
            raise DataError(_cut_short(self._file))
        self._left -= count
        self.taken += count
        return content

    def skip(self, count: int) -> None:
        """Leave out the next `count` bytes."""
        self._file.seek(count, 1)
        self._left -= count
        self.taken += count

    def finish(self) -> None:
        """Check nothing at the end."""


class InflatedBytes:
    """Read what a zlib stream in an open file inflates to; arguments, attribute and methods as of FileBytes."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._packed, self._zlib = file, FileBytes(file, start, end), zlib.decompressobj()
        self._packed_left, self.taken = end - start, 0

    def take(self, count: int) -> bytes:
        content = bytearray()
        while len(content) < count:
            piece = self._inflate(count - len(content))
            if not piece and (self._zlib.eof or not self._packed_left):
                raise DataError(_cut_short(self._file))
            content += piece
        self.taken += count
        return bytes(content)

    def skip(self, count: int) -> None:
        while count:
            step = min(count, _CHUNK)
            self.take(step)
            count -= step

    def finish(self) -> None:
        """Check that the stream ends here, within a few bytes of padding, and its checksum.

        Raises:
            DataError: if not.
        """
        padding = 0
        while not self._zlib.eof:
            piece = self._inflate(_CHUNK)
            padding += len(piece)
            if padding > 8 or not (piece or self._zlib.eof or self._packed_left):
                raise DataError(_cut_short(self._file))

    def _inflate(self, most):
        """Return up to `most` further bytes, from one chunk of the file."""
        packed = self._zlib.unconsumed_tail
        if not packed:
            packed = self._packed.take(min(_CHUNK, self._packed_left))
            self._packed_left -= len(packed)
        try:
            return self._zlib.decompress(packed, most)
        except zlib.error as error:
            raise DataError(f"{self._file.name} is damaged ({error}). Fetch it again.") from error


def _cut_short(file):
    return f"{file.name} is damaged or cut short: it ends in the middle of a variable. Fetch it again."
