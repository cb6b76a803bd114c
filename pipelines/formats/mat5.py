"""Read MATLAB 5 files: their variables are found without reading them, and read a slab at a time.

A file is a header of 128 bytes and elements, one a variable, each a tag (type, bytes) and its content; that of a
compressed element is a zlib stream of such an element. A variable's content is elements again: flags, size, name,
numbers. Every length that the file claims is checked before memory is taken for it.
"""

import functools
import math
import os
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.files import open_regular
from keras_dhnn.pipelines.formats.byte_stream import FileBytes, InflatedBytes
from keras_dhnn.pipelines.formats.mat_array import MatArray

HEADER = 128
INT8, INT32, UINT32, MATRIX, COMPRESSED, UTF8 = 1, 5, 6, 14, 15, 16
# Types of stored numbers, and classes of variables. Whole doubles are often stored as small integers.
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function", 17: "object"}
_COMPLEX = 1 << 11
_MOST_AXES, _MOST_NAME, _MOST_VARIABLES = 16, 256, 10_000
_DEFLATE = 1032  # bytes that deflate packs into one at most


class Variable(NamedTuple):
    """Describe what comes before the numbers of a variable.

    `kind` is None if it is a real numeric array, else what it is; `place` is the first number's in its stream.
    """

    name: str
    kind: str | None
    shape: tuple = ()
    stored: np.dtype | None = None
    dtype: np.dtype | None = None
    place: int = 0


def list_mat5(path: Path) -> tuple[dict[str, MatArray], dict[str, str]]:
    """Return the variables of a MATLAB 5 file.

    Args:
        path: Path of the file.

    Returns:
        `({name: MatArray}, {name: kind})`: real numeric arrays, and what else there is.

    Raises:
        DataError: if it is no such file, damaged or cut short, or cannot be read.
    """
    arrays, others, count = {}, {}, 0
    try:
        with open_regular(path) as file:
            size, order, start = os.fstat(file.fileno()).st_size, _byte_order(file), HEADER
            while start < size:
                kind, end = _top_level(file, start, size, order)
                opened = functools.partial(InflatedBytes if kind == COMPRESSED else FileBytes, start=start + 8, end=end)
                variable = _read_variable(opened(file), kind, end - start - 8, order, path)
                if variable.kind:
                    others[variable.name] = variable.kind
                else:
                    read = functools.partial(_read, path, opened, variable)
                    arrays[variable.name] = MatArray(variable.name, variable.shape, variable.dtype, read)
                count += 1  # not of names, of which a hostile file has one
                if count > _MOST_VARIABLES:
                    raise DataError(f"{path} holds more than {_MOST_VARIABLES} variables. Is it the right file?")
                start = end
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    return arrays, others


def _read(path, opened, variable, items):
    """Yield the slabs of an array, see `MatArray.slabs`."""
    count, *shape = variable.shape
    nbytes = math.prod(shape) * variable.stored.itemsize
    try:
        with open_regular(path) as file:
            stream = opened(file)
            stream.skip(variable.place)
            for first in range(0, count, items):
                rows = min(items, count - first)
                slab = np.frombuffer(stream.take(rows * nbytes), variable.stored)
                yield slab.reshape(rows, *shape).astype(variable.dtype, copy=False)
            stream.finish()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error


def _byte_order(file):
    header = file.read(HEADER)
    if len(header) < HEADER or header[126:128] not in (b"IM", b"MI"):
        raise DataError(
            f"Expected a MATLAB file of version 5 or 7.3 (HDF5). {file.name} is neither. Unpack it first if it is an "
            "archive (zip, tar)."
        )
    return "<" if header[126:128] == b"IM" else ">"


def _top_level(file, start, size, order):
    """Return the type of the element at byte `start`, and the byte after it."""
    file.seek(start)
    tag = file.read(8)
    kind, length = struct.unpack(order + "II", tag) if len(tag) == 8 else (MATRIX, size)
    end = start + 8 + length
    if kind not in (MATRIX, COMPRESSED):
        raise DataError(f"{file.name} is damaged at byte {start:,}: found type {kind}, no variable. Fetch it again.")
    if end > size:
        raise DataError(
            f"{file.name} is cut short: it has {size:,} bytes, and its variable at byte {start:,} goes up to byte "
            f"{end:,}. Fetch it again."
        )
    return kind, end


def _read_variable(stream, kind, length, order, path):
    """Return the Variable whose element `stream` gives; `length` is the element's in the file."""
    if kind == COMPRESSED:
        most = _DEFLATE * length
        kind, length = struct.unpack(order + "II", stream.take(8))
        if kind != MATRIX or length > most:
            raise DataError(f"{path} is damaged: a compressed element holds no variable. Fetch it again.")
    if not length:
        return Variable("", "empty")
    first = stream.taken
    flags = struct.unpack(order + "II", _content(stream, order, (UINT32,), 8, path))[0]
    size = _content(stream, order, (INT32,), 4 * _MOST_AXES, path)
    size = struct.unpack(f"{order}{len(size) // 4}i", size[: len(size) // 4 * 4])
    name = _content(stream, order, (INT8, UTF8), _MOST_NAME, path).decode("utf-8", "backslashreplace")
    if flags & 255 not in CLASSES or flags & _COMPLEX:
        return Variable(name, "complex" if flags & _COMPLEX else _OTHERS.get(flags & 255, "unknown"))
    kind, nbytes, small = _tag(stream, order)
    place = stream.taken - len(small)
    stored = np.dtype(STORED.get(kind, "V1")).newbyteorder(order)
    fits = kind in STORED and size and min(size) >= 0 and math.prod(size) * stored.itemsize == nbytes
    if not fits or place - first + nbytes > length:
        raise DataError(
            f"{path} is damaged: variable {name!r} of size {' x '.join(map(str, size))} holds {nbytes:,} bytes of type "
            f"{kind}. Fetch it again."
        )
    return Variable(name, None, size[::-1], stored, np.dtype(CLASSES[flags & 255]), place)


def _tag(stream, order):
    """Return the type and length of an element, and its content where that stands in the tag itself (else nothing)."""
    tag = stream.take(8)
    kind, length = struct.unpack(order + "II", tag)
    return (kind & 0xFFFF, kind >> 16, tag[4:]) if kind >> 16 else (kind, length, b"")


def _content(stream, order, kinds, most, path):
    """Return the content of a short element of one of the types `kinds`."""
    kind, length, content = _tag(stream, order)
    if kind not in kinds or length > (len(content) or most) or (kind == UINT32 and length != most):
        raise DataError(f"{path} is damaged: found an element of type {kind}, {length:,} bytes. Fetch it again.")
    return (content or stream.take(-(-length // 8) * 8))[:length]
