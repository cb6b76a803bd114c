"""Read float vectors that others made from the files that they are kept in, a part at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from keras_dhnn.archive.geoparquet import geometry_columns, reading_parquet
from keras_dhnn.archive.labels import join_labels
from keras_dhnn.archive.places import address, is_address, kept_copy, place
from keras_dhnn.errors import DataError, MissingPackage
from keras_dhnn.files import read_arrays, refuse_address

_BATCH = 50_000
# Names that a column of ids has in collections that people share.
_IDS = ("id", "unique_id", "grid_cell", "chip_id", "chips_id", "item_id", "image_id", "name", "tile")
_TIMES = ("time", "datetime", "timestamp", "date")
_KEPT = ("label", "path", "scene", "crs")


@dataclass(frozen=True)
class Batch:
    """Describe some vectors.

    Attributes:
        ids: list of n texts.
        vectors: `(n, d)` float32.
        columns: `{name: values}` of other columns of an archive.
    """

    ids: list
    vectors: np.ndarray
    columns: dict


@dataclass(frozen=True)
class VectorFile:
    """Describe a file of vectors.

    Attributes:
        path: of it.
        count: n.
        size: d.
        batches: function that gives an iterator of `Batch`.
    """

    path: Path
    count: int
    size: int
    batches: Callable[[], Iterator[Batch]]

    def sample(self, count: int) -> np.ndarray:
        """Return vectors `(m, d)` float32 spread over the whole file, at most `count`."""
        return self.labelled_sample(count)[0]

    def labelled_sample(self, count: int) -> tuple[np.ndarray, list[str | None]]:
        """Return `sample`, and the label of each: a list of m texts or None."""
        step, seen = max(-(-self.count // count), 1), 0
        taken: list[np.ndarray] = []
        labels: list[str | None] = []
        for batch in self.batches():
            chosen = slice(-seen % step, None, step)
            taken.append(batch.vectors[chosen])
            given = batch.columns.get("label")
            given = [None] * len(batch.vectors) if given is None else given
            labels += (given if isinstance(given, list) else given.to_pylist())[chosen]
            seen += len(batch.vectors)
        return np.concatenate(taken), labels


def open_vectors(path: Path | str, column: str | None = None) -> VectorFile:
    """Open a file of vectors.

    Args:
        path: or address, of Parquet or GeoParquet (a column of lists), NPZ (an array `(n, d)`; arrays `id` and `label`
            are taken too), NPY (`(n, d)`), or Zarr (an array `(n, d)`, or one in a group; not at an address).
        column: name of the column or array; may be left out where there is one such.

    Returns:
        `VectorFile`.

    Raises:
        DataError: if it is none of these, has no such column, or vectors of several lengths.
        MissingPackage: for Zarr, if zarr is not installed.
    """
    if is_address(path):
        file = open_vectors(kept_copy(address(path)), column)
        return replace(file, path=place(path))
    path = Path(address(path))
    if not path.exists():
        refuse_address(path)
        raise DataError(f"There is no file {path}. Expected vectors as Parquet, NPZ, NPY or Zarr.")
    kind = path.suffix.lower()
    if kind in (".parquet", ".geoparquet"):
        return _open_parquet(path, column)
    if kind == ".npy":
        return _of_array(path, _load_npy(path))
    if kind == ".npz":
        return _open_npz(path, column)
    if kind == ".zarr" or path.is_dir():
        return _of_array(path, _open_zarr(path, column))
    raise DataError(f"{path} is no file of vectors that is known here. Expected .parquet, .npz, .npy or .zarr.")


def _open_parquet(path, column):
    import pyarrow.parquet as pq

    with reading_parquet(path):
        file = pq.ParquetFile(path)
    schema = file.schema_arrow
    lists = [field.name for field in schema if pa.types.is_nested(field.type) and _is_list_of_floats(field.type)]
    column = _only(path, column, lists, schema.names)
    kept = _columns_of(schema)
    wanted = [column, *kept.values(), *(["geometry"] if "geometry" in schema.names else [])]

    def read(count: int, names: list[str]) -> Iterator[pa.RecordBatch]:
        with reading_parquet(path):
            yield from file.iter_batches(count, columns=names)

    def batches() -> Iterator[Batch]:
        first = 0
        for rows in read(_BATCH, wanted):
            yield _parquet_batch(path, rows, column, kept, size, first)
            first += len(rows)

    begin = next(read(1, [column]), None)
    if begin is None or not len(begin):
        raise _no_vectors(path)
    size = pc.list_value_length(begin[column])[0].as_py()
    if not size:
        raise DataError(f"{path}: expected vectors in every row of {column!r}. Received none in the first.")
    return VectorFile(path, file.metadata.num_rows, size, batches)


def _parquet_batch(path, rows, column, kept, size, first):
    lengths = pc.list_value_length(rows[column])
    if rows[column].null_count or pc.min_max(lengths).as_py() != {"min": size, "max": size}:
        raise DataError(f"{path}: expected vectors of {size} values in every row of {column!r}. Received others.")
    flat = rows[column].flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    columns = {name: _cast(rows[theirs], name) for name, theirs in kept.items() if name != "id"}
    if "geometry" in rows.schema.names:
        columns |= geometry_columns(rows["geometry"], path)
    ids = [str(value) for value in rows[kept["id"]].to_pylist()] if "id" in kept else _numbered(path, first, len(rows))
    return Batch(ids, _finite(path, flat.reshape(len(rows), size), first), columns)


def _columns_of(schema):
    """Return `{our column: theirs}`."""
    kept = {name: name for name in _KEPT if name in schema.names and _is_text(schema.field(name).type)}
    for theirs in ("labels", "label"):
        if theirs in schema.names and (
            _is_text(schema.field(theirs).type) or _is_list_of_texts(schema.field(theirs).type)
        ):
            kept["label"] = theirs
    for name, theirs in (("id", _IDS), ("time", _TIMES)):
        found = next((one for one in theirs if one in schema.names), None)
        if found is not None:
            kept[name] = found
    return kept


def _cast(values, name):
    if name == "label" and _is_list_of_texts(values.type):
        return [join_labels(one) for one in values.to_pylist()]
    try:
        return values.cast(pa.timestamp("ms"), safe=False) if name == "time" else values.cast(pa.string())
    except pa.ArrowException:
        return None


def _open_npz(path, column):
    arrays = read_arrays(path, remedy="Expected arrays of numbers and of text, as numpy.savez writes them.")
    matrices = [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind == "f"]
    column = _only(path, column, matrices, list(arrays))
    ids = next((arrays[name] for name in (*_IDS, "ids") if name in arrays), None)
    label = next((arrays[name] for name in ("label", "labels") if name in arrays), None)
    return _of_array(path, arrays[column], ids, label)


def _load_npy(path):
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as NPY ({error}).") from error


def _open_zarr(path, column):
    try:
        import zarr
    except ImportError as error:
        raise MissingPackage("Reading Zarr needs the package zarr: pip install zarr") from error
    try:
        opened = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read as Zarr ({error}).") from error
    if not hasattr(opened, "shape"):
        names = [name for name, array in opened.arrays() if array.ndim == 2]
        opened = opened[_only(path, column, names, names)]
    return opened


def _of_array(path, array, ids=None, labels=None):
    if array.ndim != 2 or array.dtype.kind != "f":
        raise DataError(f"{path}: expected real vectors of shape (n, d). Received: {array.dtype}, {array.shape}")
    if not all(array.shape):
        raise _no_vectors(path)
    for name, values in (("ids", ids), ("labels", labels)):
        if values is not None and values.shape[:1] != array.shape[:1]:
            raise DataError(f"{path}: expected {name} of all {array.shape[0]} vectors. Received: {values.shape}")

    def batches() -> Iterator[Batch]:
        for first in range(0, array.shape[0], _BATCH):
            part = _finite(path, np.asarray(array[first : first + _BATCH], np.float32), first)
            named = (
                _numbered(path, first, len(part)) if ids is None else [str(one) for one in ids[first : first + _BATCH]]
            )
            columns = {} if labels is None else {"label": [str(one) for one in labels[first : first + _BATCH]]}
            yield Batch(named, part, columns)

    return VectorFile(path, array.shape[0], array.shape[1], batches)


def _finite(path, vectors, first):
    """Return vectors of which each has a length that float32 holds; others have no direction, and no code."""
    with np.errstate(over="ignore", invalid="ignore"):
        bad = np.flatnonzero(~np.isfinite(np.einsum("ij,ij->i", vectors, vectors)))
    if len(bad):
        rows = ", ".join(str(first + row) for row in bad[:5]) + (", ..." if len(bad) > 5 else "")
        raise DataError(
            f"{path}: expected finite vectors. Those of the rows {rows} (from 0) hold NaN, infinity, or numbers too "
            "large for float32. Leave them out of the file."
        )
    return vectors


def _no_vectors(path):
    return DataError(f"There is no vector in {path}. Expected one at least.")


def _numbered(path, first, count):
    return [f"{path.stem}/{number:09d}" for number in range(first, first + count)]


def _is_list(kind):
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_list_of_floats(kind):
    return _is_list(kind) and pa.types.is_floating(kind.value_type)


def _is_list_of_texts(kind):
    return _is_list(kind) and _is_text(kind.value_type)


def _is_text(kind):
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _only(path, wanted, able, names):
    if wanted is None and len(able) == 1:
        return able[0]
    if wanted not in able:
        raise DataError(
            f"{path} has {len(able)} columns of real vectors: {', '.join(able) or 'none'}. Name one by --column. All "
            f"columns: {', '.join(names)}. Received: {wanted}"
        )
    return wanted
