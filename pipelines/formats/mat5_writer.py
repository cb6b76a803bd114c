"""Write arrays into a MATLAB 5 file while they are made, uncompressed."""

import io
import itertools
import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import numpy as np
import scipy.io

from keras_dhnn.errors import invalid
from keras_dhnn.pipelines.formats.mat5 import CLASSES, HEADER, INT8, INT32, MATRIX, STORED, UINT32

_CLASS_OF = {name: number for number, name in CLASSES.items()}
_STORED_AS = {name: number for number, name in STORED.items()}


def write_header(file: BinaryIO, text: str) -> None:
    """Begin a MATLAB 5 file: `text` (ASCII, up to 100 characters) says what it is."""
    said = f"MATLAB 5.0 MAT-file, {text}".encode("ascii")[:116].ljust(116)
    file.write(said + bytes(8) + struct.pack("<H", 0x0100) + b"IM")


def write_array(file: BinaryIO, name: str, shape: Sequence[int], kind: str, slabs: Iterable[np.ndarray]) -> None:
    """Write a numeric variable.

    Args:
        file: opened for writing bytes.
        name: of the variable.
        shape: its axes in NumPy's order: MATLAB's `size` in reverse.
        kind: type of its elements, such as "f8", whatever type the slabs have: MATLAB, too, stores small whole
            doubles as bytes.
        slabs: arrays `(k, *shape[1:])` of one type, uint8 or another of MATLAB's, that make up the whole.

    Raises:
        ValueError: if they make up something else, or it takes 4 GiB or more.
    """
    slabs = iter(slabs)
    first = next(slabs)
    nbytes = math.prod(shape) * first.itemsize
    before = _element(UINT32, struct.pack("<II", _CLASS_OF[kind], 0))
    before += _element(INT32, struct.pack(f"<{len(shape)}i", *shape[::-1])) + _element(INT8, name.encode("ascii"))
    before += struct.pack("<II", _STORED_AS[first.dtype.str[1:]], nbytes)
    padding = -nbytes % 8
    if len(before) + nbytes + padding >= 1 << 32:
        raise ValueError(invalid("argument `shape`", "below 4 GiB", shape))
    file.write(struct.pack("<II", MATRIX, len(before) + nbytes + padding) + before)
    written = 0
    for slab in itertools.chain([first], slabs):
        file.write(np.ascontiguousarray(slab).data)
        written += slab.nbytes
    if written != nbytes:
        raise ValueError(invalid("argument `slabs`", f"{nbytes} bytes", written))
    file.write(bytes(padding))


def write_small(file: BinaryIO, **variables: Any) -> None:
    """Write small variables of any kind that `scipy.io.savemat` takes, such as cells of texts."""
    content = io.BytesIO()
    scipy.io.savemat(content, variables, do_compression=False)
    file.write(content.getvalue()[HEADER:])


def _element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)
