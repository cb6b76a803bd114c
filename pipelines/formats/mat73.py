"""Read MATLAB 7.3 files, which are HDF5: their arrays are found without reading them, and read a slab at a time."""

import functools
import math
from pathlib import Path

import h5py
import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats.hdf5_chunks import check_filters, read_rows
from keras_dhnn.pipelines.formats.mat_array import MatArray

# Whole chunks are inflated; MATLAB's take a few kB to a few MB.
_MOST_CHUNK_BYTES = 256 << 20
_MOST_VARIABLES, _MOST_CHUNKS = 10_000, 10_000_000
_DEFLATE = 1032  # bytes that deflate packs into one at most
# What h5py raises for damaged files.
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def list_mat73(path: Path) -> tuple[dict[str, MatArray], dict[str, str]]:
    """Return the variables of an HDF5 file.

    Args:
        path: Path of the file.

    Returns:
        `({name: MatArray}, {name: kind})`: real numeric arrays, and what else there is.

    Raises:
        DataError: if it is damaged or cut short, or cannot be read.
    """
    arrays, others = {}, {}
    try:
        with h5py.File(path, "r") as file:
            if len(file) > _MOST_VARIABLES:
                raise DataError(f"{path} holds more than {_MOST_VARIABLES} variables. Is it the right file?")
            for name in file:
                # A link may lead to any other file of the user's; MATLAB writes none.
                hard = isinstance(file.get(name, getlink=True), h5py.HardLink)
                dataset = file[name] if hard else None
                kind = _kind(dataset)
                if dataset is None or kind:
                    others[name] = kind
                    continue
                _check(dataset, name, path)
                read = functools.partial(_read, path, name)
                arrays[name] = MatArray(name, dataset.shape, dataset.dtype.newbyteorder("="), read)
    except _HDF5_ERRORS as error:
        raise DataError(_damaged(path, error)) from error
    return arrays, others


def _kind(dataset):
    """Return what something in the file is, or None for a real numeric array."""
    if not isinstance(dataset, h5py.Dataset):
        return "link" if dataset is None else "group"
    matlab = dataset.attrs.get("MATLAB_class", b"")
    if matlab in (b"char", b"cell") or dataset.attrs.get("MATLAB_empty", 0):
        return matlab.decode() if matlab in (b"char", b"cell") else "empty"
    if dataset.dtype.kind not in "iuf" or not dataset.shape:
        return "scalar" if dataset.dtype.kind in "iuf" else "other"
    return "stored elsewhere" if dataset.is_virtual or dataset.external else None


def _check(dataset, name, path):
    """Refuse what claims more than the file can hold, before it is read."""
    chunk = math.prod(dataset.chunks or (1,)) * dataset.dtype.itemsize
    if chunk > _MOST_CHUNK_BYTES:
        raise DataError(
            f"{name} in {path} is stored in chunks of {chunk:,} bytes; at most {_MOST_CHUNK_BYTES:,} are read. Save "
            "it in smaller ones."
        )
    check_filters(dataset, name, path)
    chunks = math.prod(-(-length // side) for length, side in zip(dataset.shape, dataset.chunks or (), strict=False))
    if chunks > _MOST_CHUNKS:
        raise DataError(f"{name} in {path} is stored in {chunks:,} chunks; at most {_MOST_CHUNKS:,} are read.")
    held = dataset.id.get_storage_size()
    if dataset.nbytes > held * (_DEFLATE if dataset.chunks else 1):
        raise DataError(
            f"{path} is incomplete: {name} claims {dataset.nbytes:,} bytes, and {held:,} are stored. Fetch it again."
        )


def _read(path, name, items):
    """Yield the slabs of an array, see `MatArray.slabs`."""
    try:
        with h5py.File(path, "r") as file:
            dataset = file[name]
            rows = _rows(dataset, items)
            for first in range(0, len(dataset), rows):
                last = min(first + rows, len(dataset))
                slab = read_rows(dataset, first, last) if dataset.chunks else dataset[first:last]
                slab = np.asarray(slab, dataset.dtype.newbyteorder("="))
                for start in range(0, len(slab), items):
                    yield slab[start : start + items]
    except _HDF5_ERRORS as error:
        raise DataError(_damaged(path, error)) from error


def _rows(dataset, items):
    """Return entries to read at once: whole chunks where memory allows, so that none is inflated twice."""
    along = (dataset.chunks or (1,))[0]
    rows = -(-items // along) * along
    nbytes = rows * math.prod(dataset.shape[1:]) * dataset.dtype.itemsize
    return rows if nbytes <= _MOST_CHUNK_BYTES else items


def _damaged(path, error):
    return f"{path} is damaged, cut short or cannot be read ({error}). Fetch it again."
