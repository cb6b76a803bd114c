"""Read a torch weights file in its legacy format, without torch and without running what the file says.

Such a file is five pickles (a magic number, a protocol version, the byte order, the tensors, the keys of their
storages) and then, per storage, its number of elements (int64) and its raw values. A pickle can name any function to
call; the unpickler here knows the four names that a file of plain tensors needs, and refuses every other.
"""

import collections
import io
import math
import pickle
import pickletools
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keras_dhnn.errors import SettingError
from keras_dhnn.files import read_bytes

MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8"}
# What a pickle or a tensor description that is damaged or forged may raise.
_DAMAGE = (
    *(pickle.UnpicklingError, struct.error, EOFError, LookupError, TypeError, AttributeError, ValueError),
    *(OverflowError, RecursionError),
)


def read_torch_weights(path: Path | str, max_bytes: int = 2**30) -> dict[str, np.ndarray]:
    """Return the tensors of a legacy torch state dictionary.

    Args:
        path: the `.pth` file.
        max_bytes: a larger file is refused before it is read.

    Returns:
        Dictionary of names to arrays, as they are in the file (convolutions are out, in, height, width).

    Raises:
        DataError: if the file is too large, or no file.
        SettingError: if it is of another format, names anything but tensors, or is cut short.
    """
    content = read_bytes(path, max_bytes)
    file = io.BytesIO(content)
    try:
        magic, _, system = (_unpickled(file)[0] for _ in range(3))
        if magic != MAGIC or not system["little_endian"]:
            raise SettingError("its header is not that of a little-endian legacy torch file")
        (tensors, dtypes), (keys, _) = _unpickled(file), _unpickled(file)
        storages = {key: _read_storage(file, dtypes[key], len(content)) for key in keys}
        return {name: tensor.read(storages) for name, tensor in tensors.items()}
    except _DAMAGE as error:
        raise SettingError(f"{path} is not a legacy torch file of plain tensors: {error}") from error


def _unpickled(file):
    """Return `(value, {storage: dtype})` of the pickle that is next in a file; its sizes are checked before it is
    run.
    """
    start, count, largest = file.tell(), 0, 0
    for opcode, argument, _ in pickletools.genops(file):  # raises ValueError for texts that are longer than the file
        count += 1
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            largest = max(largest, argument)
    if largest > count:
        raise pickle.UnpicklingError(f"it numbers {largest} parts, and has {count}")
    file.seek(start)
    unpickler = _Unpickler(file)
    return unpickler.load(), unpickler.dtypes


class _Tensor:
    """Stand for a tensor to be, until the storages are read."""

    def __init__(self, key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any):
        self.key, self.offset, self.shape, self.strides = key, offset, shape, strides

    def read(self, storages: Mapping[str, np.ndarray]) -> np.ndarray:
        values = storages[self.key]
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        taken = max(last + 1, math.prod(self.shape))
        if min((self.offset, last, *self.shape, *self.strides)) < 0 or taken > len(values):
            raise SettingError(f"a tensor of shape {self.shape} reaches beyond its storage")
        byte_strides = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, byte_strides).copy()


class _Unpickler(pickle.Unpickler):
    """Know ordered dictionaries and tensors; remember the type of each storage that it meets."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.dtypes: dict[str, np.dtype] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}, which plain tensors do not need")

    def persistent_load(self, identifier: Any) -> str:
        _, storage_type, key, *_ = identifier
        self.dtypes[key] = np.dtype(_DTYPES[storage_type])
        return key


def _read_storage(file, dtype, file_size):
    (elements,) = struct.unpack("<q", file.read(8))
    if not 0 <= elements * dtype.itemsize <= file_size - file.tell():
        raise SettingError(f"a storage declares {elements} elements, more than the file holds")
    return np.frombuffer(file.read(elements * dtype.itemsize), dtype)
