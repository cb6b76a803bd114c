"""Declare the columns of an archive, and what each of its Parquet files says of itself."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from keras_dhnn.archive.geoparquet import BBOX, GEOMETRY, geo_metadata
from keras_dhnn.archive.manifest import Identity
from keras_dhnn.codes import check_packed, from_words, to_words
from keras_dhnn.errors import SettingError

FORMAT = 1
METADATA = b"keras_dhnn"
SOURCE = "source"
FEATURES = "features"
# Milliseconds since 1970 of the first and the last date that there is in ISO 8601.
FIRST_TIME, LAST_TIME = (
    int(np.datetime64(date, "ms").astype(np.int64)) for date in ("0001-01-01", "9999-12-31T23:59:59.999")
)
_LARGEST_FEATURE = 127


def code_columns(bits: int) -> list[str]:
    """Return the names of the columns that hold codes of so many bits, 64 bits a column: `code0`, `code1`, ..."""
    return [f"code{number}" for number in range(-(-bits // 64))]


def make_schema(bits: int, features: int = 0) -> pa.Schema:
    """Return the Arrow schema of an archive's rows, in the order of its columns.

    The column `source` is missing here: it is the name of the folder that a file lies in, `source=pan`, as Hive,
    DuckDB, Spark and GeoPandas read it.

    Times are UTC, without a zone of their own, so that no engine turns them into its own.

    Args:
        bits: length of the codes.
        features: values of the int8 feature vector that is kept beside each code; 0: none is.

    Returns:
        `pyarrow.Schema`.
    """
    fields = [
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in code_columns(bits)),
        pa.field("label", pa.string()),
        pa.field("content", pa.int64()),
        pa.field("path", pa.string()),
        pa.field("time", pa.timestamp("ms")),
        pa.field("scene", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("col", pa.int32()),
        pa.field("size", pa.int32()),
        pa.field("crs", pa.string()),
        GEOMETRY,
        BBOX,
    ]
    if features:
        fields.append(pa.field(FEATURES, pa.list_(pa.int8(), features)))
    return pa.schema(fields)


def file_metadata(table: pa.Table, identity: Identity, source: str) -> dict[bytes, bytes]:
    """Return the key-value metadata of a file: GeoParquet's, and whose codes it holds.

    Args:
        table: the rows of the file.
        identity: the archive's `Identity`.
        source: the image source of all rows.

    Returns:
        `{bytes: bytes}`.
    """
    ours = {
        "format": FORMAT,
        "model": identity.model,
        "bits": identity.bits,
        "pipeline": identity.pipeline,
        "source": source,
    }
    return {METADATA: json.dumps(ours).encode(), b"geo": json.dumps(geo_metadata(table)).encode()}


def read_file_metadata(schema: pa.Schema) -> dict[str, Any]:
    """Return the dictionary that `file_metadata` wrote of whose codes a file holds, empty where there is none."""
    try:
        found = json.loads((schema.metadata or {}).get(METADATA, b"{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def checked_schema(found: pa.Schema, wanted: pa.Schema | Sequence[str] | None = None) -> pa.Schema:
    """Return the schema that some columns of a file are read with, which may say otherwise what can be null.

    Args:
        found: of the file, from its footer.
        wanted: schema of the columns that are to be in it, or their names; None: the file's own, an archive's.

    Returns:
        `pyarrow.Schema`, with the file's metadata.

    Raises:
        ValueError: naming the first column that is missing, comes twice, or is of another type.
    """
    if not isinstance(wanted, pa.Schema):
        codes = [name for name in found.names if re.fullmatch(r"code\d+", name)]
        known = make_schema(64 * max(len(codes), 1))
        if FEATURES in found.names:
            own = found.field(FEATURES).type
            known = known.append(pa.field(FEATURES, own if _sketch(own) == ("list", "int8") else pa.list_(pa.int8())))
        expected = known if wanted is None else pa.schema([known.field(name) for name in wanted])
    else:
        expected = wanted
    for field in expected:
        if found.names.count(field.name) != 1:
            what = "more than one column" if field.name in found.names else "no column"
            raise ValueError(f"it has {what} {field.name!r}")
        own = found.field(field.name).type
        if _sketch(own) != _sketch(field.type):
            raise ValueError(f"its column {field.name!r} is of the type {own}; expected {field.type}")
    return expected.with_metadata(found.metadata)


def _sketch(dtype):
    """Return what a type is, whichever of its encodings holds it and whatever in it may be null."""
    if pa.types.is_dictionary(dtype):
        return _sketch(dtype.value_type)
    if pa.types.is_struct(dtype):
        return ("struct", *((field.name, _sketch(field.type)) for field in dtype))
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype):
        return ("list", _sketch(dtype.value_type))
    return str(dtype).removeprefix("large_")


def make_rows(
    ids: Sequence[str] | np.ndarray, codes: ArrayLike, features: ArrayLike | None = None, **columns: Any
) -> pa.Table:
    """Make rows of an archive.

    Args:
        ids: `(n,)` texts, the key of each item.
        codes: `(n, l / 8)` uint8, as `codes.pack` makes them.
        features: `(n, d)` real vectors to keep beside the codes, or None.
        **columns: `(n,)` values of other columns of `make_schema`; those left out are null.

    Returns:
        `pyarrow.Table` of `make_schema`.

    Raises:
        SettingError: if a column is of another length, or none of an archive's.
        ValueError: if the codes are no packed ones.
    """
    codes = check_packed("codes", codes)
    schema = make_schema(8 * codes.shape[1], 0 if features is None else np.shape(features)[1])
    unknown = sorted(columns.keys() - set(schema.names))
    if unknown:
        raise SettingError(f"An archive has no column {unknown[0]!r}. It has: {', '.join(schema.names)}")
    columns = dict(columns, id=ids, **dict(zip(code_columns(8 * codes.shape[1]), to_words(codes).T, strict=True)))
    if features is not None:
        flat = pa.array(quantize_features(features).reshape(-1))
        columns[FEATURES] = pa.FixedSizeListArray.from_arrays(flat, np.shape(features)[1])
    arrays = [_array(columns.get(field.name), field.type, len(codes)) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def table_codes(table: pa.Table, bits: int) -> np.ndarray:
    """Return the packed codes `(n, l / 8)` uint8 of rows."""
    words = [table[name].to_numpy() for name in code_columns(bits)]
    return from_words(np.stack(words, axis=1) if len(table) else np.empty((0, len(words)), np.int64), bits)


def quantize_features(features: ArrayLike) -> np.ndarray:
    """Return the directions of vectors `(n, d)` as int8, each divided by its largest value and multiplied by 127."""
    features = np.asarray(features, np.float32)
    largest = np.abs(features).max(axis=1, keepdims=True)
    return np.rint(features / np.where(largest > 0, largest, 1) * _LARGEST_FEATURE).astype(np.int8)


def table_features(table: pa.Table) -> np.ndarray:
    """Return the features `(n, d)` int8 of rows."""
    column = table[FEATURES].combine_chunks()
    return column.flatten().to_numpy().reshape(len(table), -1)


def _array(values, dtype, count):
    if values is None:
        return pa.nulls(count, dtype)
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values.cast(dtype)
    return pa.array(values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "UO" else values, dtype)
