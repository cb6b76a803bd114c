"""Write footprints of tiles as GeoParquet 1.1 wants them: polygons as WKB, a bounding box each, metadata that says so.

Geometry is in longitude and latitude (OGC:CRS84), GeoParquet's default, whatever the scenes' own systems, since a
column has one system only; a tile's own system is in its column `crs`. Every map on a screen starts from these.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from keras_dhnn.archive.wkb import from_wkb, points_of
from keras_dhnn.errors import DataError

_BOX = [pa.field(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")]
BBOX = pa.field("bbox", pa.struct(_BOX))
GEOMETRY = pa.field("geometry", pa.binary())
# Byte order, type polygon, one ring of five points.
_WKB_HEAD = np.frombuffer(b"\x01\x03\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00", np.uint8)
_WKB_SIZE = len(_WKB_HEAD) + 5 * 16


@contextlib.contextmanager
def reading_parquet(path: Path | str) -> Iterator[None]:
    """Name a file that somebody else made in what Parquet's reader says of it.

    Raises:
        DataError: for the reader's errors.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet ({error}).") from error


def footprints(corners: np.ndarray) -> dict[str, pa.Array]:
    """Return the columns `geometry` and `bbox` of tiles.

    Args:
        corners: `(n, 4, 2)` float64 longitude and latitude of four corners, in order round the tile, from any one, in
            either direction; NaN where a tile is at no known place.

    Returns:
        `{"geometry": binary array, "bbox": struct array}` of n, null where a tile is at no known place. Rings run
        anticlockwise.
    """
    corners = _anticlockwise(np.asarray(corners, np.float64).reshape(-1, 4, 2))
    known = np.isfinite(corners).all(axis=(1, 2))
    return {"geometry": _polygons(corners, known), "bbox": _boxes(corners, known)}


def geometry_columns(geometry: pa.Array, path: Path | str) -> dict[str, pa.Array]:
    """Return the columns `geometry` and `bbox` of somebody else's geometry: WKB in longitude and latitude.

    Args:
        geometry: binary array of n.
        path: of the file, for messages.

    Raises:
        DataError: if a value is no WKB of a point, polygon or multi-polygon, or lies outside the world. An empty one is
            at no known place.
    """
    if not (pa.types.is_binary(geometry.type) or pa.types.is_large_binary(geometry.type)):
        raise DataError(f"{path}: expected geometry as WKB, a column of bytes. Received: {geometry.type}")
    corners = np.full((len(geometry), 4, 2), np.nan)
    for number, value in enumerate(geometry.to_pylist()):
        if value is not None:
            points = np.array(points_of(from_wkb(value)))
            if not len(points):
                continue
            (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
            if not (abs(west) <= 180 and abs(east) <= 180 and abs(south) <= 90 and abs(north) <= 90):
                raise DataError(
                    f"{path}: expected geometry in longitude and latitude. Received a point at {west:g}, {south:g}: "
                    "bring it to EPSG:4326 first (geopandas: to_crs)."
                )
            corners[number] = [[west, south], [east, south], [east, north], [west, north]]
    return {"geometry": geometry.cast(pa.binary()), "bbox": _boxes(corners, np.isfinite(corners).all(axis=(1, 2)))}


def snap(corners: ArrayLike, step: float) -> np.ndarray:
    """Round coordinates to a multiple of a power of two, which costs less on disk than whole doubles.

    Args:
        corners: `(..., 2)` degrees.
        step: degrees; the largest power of two that is not above it is taken.

    Returns:
        Array of the same shape, each value within half a step of what it was.
    """
    quantum = 2.0 ** np.floor(np.log2(step))
    return np.round(np.asarray(corners, np.float64) / quantum) * quantum


def geo_metadata(table: pa.Table) -> dict[str, Any]:
    """Return the value of the metadata key `geo` of a file with these rows."""
    boxes = table["bbox"].combine_chunks()
    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"] if boxes.null_count < len(boxes) else [],
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {"bbox": {field.name: ["bbox", field.name] for field in _BOX}},
    }
    if column["geometry_types"]:
        low = [pc.min(pc.struct_field(boxes, name)).as_py() for name in ("xmin", "ymin")]
        column["bbox"] = low + [pc.max(pc.struct_field(boxes, name)).as_py() for name in ("xmax", "ymax")]
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def _anticlockwise(corners):
    following = np.roll(corners, -1, axis=1)
    twice_area = (corners[..., 0] * following[..., 1] - following[..., 0] * corners[..., 1]).sum(axis=1)
    return np.where((twice_area < 0)[:, None, None], corners[:, ::-1], corners)


def _polygons(corners, known):
    ring = np.ascontiguousarray(np.concatenate([corners, corners[:, :1]], axis=1), "<f8").view(np.uint8)
    wkb = np.empty((len(corners), _WKB_SIZE), np.uint8)
    wkb[:, : len(_WKB_HEAD)] = _WKB_HEAD
    wkb[:, len(_WKB_HEAD) :] = ring.reshape(len(corners), -1)
    offsets = np.concatenate([[0], np.cumsum(np.where(known, _WKB_SIZE, 0))]).astype(np.int32)
    valid = pa.array(known).buffers()[1] if len(known) else None
    return pa.Array.from_buffers(pa.binary(), len(known), [valid, pa.py_buffer(offsets), pa.py_buffer(wkb[known])])


def _boxes(corners, known):
    low, high = corners.min(axis=1), corners.max(axis=1)
    parts = [pa.array(values, mask=~known) for values in (low[:, 0], low[:, 1], high[:, 0], high[:, 1])]
    return pa.StructArray.from_arrays(parts, fields=_BOX, mask=pa.array(~known))
