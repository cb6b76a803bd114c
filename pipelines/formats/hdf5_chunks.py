"""Inflate chunks of an HDF5 array within a bound: HDF5 itself inflates whatever a chunk holds."""

import itertools
import math
import zlib

import h5py
import numpy as np

from keras_dhnn.errors import DataError

_DEFLATE, _SHUFFLE, _CHECKSUM = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32
# What bytes that cannot be packed take at most, far from what deflate adds to them.
_MOST_PACKED, _SPARE = 2, 1 << 16


def check_filters(dataset: h5py.Dataset, name: str, path: object) -> None:
    """Raise DataError if an array is packed otherwise than by deflate, once, and a rearrangement of bytes."""
    filters = _filters(dataset)
    known = {_DEFLATE, _SHUFFLE, _CHECKSUM}
    if len(set(filters)) != len(filters) or not known.issuperset(filters):
        raise DataError(
            f"{name} in {path} is packed by the filters {filters}; expected deflate. Save it anew, in MATLAB by save "
            "-v7.3."
        )


def read_rows(dataset: h5py.Dataset, first: int, last: int) -> np.ndarray:
    """Read entries `first` to `last` of the first axis.

    Args:
        dataset: a chunked array whose filters are checked.
        first: number of the first entry.
        last: of the entry after the last.

    Returns:
        `(last - first, *shape[1:])` in the machine's order of bytes.

    Raises:
        ValueError: if a chunk holds more or less than it should.
    """
    ends = (last, *dataset.shape[1:])
    begins = (first, *[0] * (len(ends) - 1))
    rows = np.full([end - begin for begin, end in zip(begins, ends, strict=True)], dataset.fillvalue, dataset.dtype)
    numbers = (
        range(begin // side, -(-end // side)) for begin, end, side in zip(begins, ends, dataset.chunks, strict=True)
    )
    for number in itertools.product(*numbers):
        offset = tuple(place * side for place, side in zip(number, dataset.chunks, strict=True))
        block = _chunk(dataset, offset)
        if block is None:  # never written
            continue
        sides = list(zip(offset, dataset.chunks, begins, ends, strict=True))
        inside = [(max(at, begin), min(at + side, end)) for at, side, begin, end in sides]
        place = tuple(slice(a - begin, b - begin) for (a, b), begin in zip(inside, begins, strict=True))
        rows[place] = block[tuple(slice(a - at, b - at) for (a, b), at in zip(inside, offset, strict=True))]
    return rows.astype(dataset.dtype.newbyteorder("="), copy=False)


def _chunk(dataset, offset):
    """Return one chunk as an array of the chunk's shape, or None if it is not stored."""
    held = dataset.id.get_chunk_info_by_coord(offset).size
    if not held:
        return None
    filters, size = _filters(dataset), math.prod(dataset.chunks) * dataset.dtype.itemsize
    # Before it is read: where HDF5 sees no filters, it makes room for `size` bytes and writes as many as are stored.
    if held > _MOST_PACKED * size + _SPARE if filters else held != size:
        raise ValueError(f"a chunk is stored in {held:,} bytes, where {size:,} are expected")
    skipped, content = dataset.id.read_direct_chunk(offset)
    for number, kind in reversed(list(enumerate(filters))):
        if skipped >> number & 1:
            continue
        if kind == _DEFLATE:
            content = _inflated(content, size)
        elif kind == _CHECKSUM:
            content = content[:-4]
        elif kind == _SHUFFLE:
            content = np.frombuffer(content, np.uint8).reshape(dataset.dtype.itemsize, -1).T.tobytes()
    if len(content) != size:
        raise ValueError(f"a chunk holds {len(content):,} bytes, where {size:,} are expected")
    return np.frombuffer(content, dataset.dtype).reshape(dataset.chunks)


def _inflated(content, size):
    stream = zlib.decompressobj()
    # A checksum of four bytes may be packed too.
    try:
        content = stream.decompress(content, size + 5)
    except zlib.error as error:
        raise ValueError(f"a chunk cannot be unpacked: {error}") from error
    if len(content) > size + 4 or not stream.eof:
        raise ValueError(f"a chunk unpacks to more or less than its {size:,} bytes")
    return content


def _filters(dataset):
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]
