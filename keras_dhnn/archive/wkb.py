"""Turn geometry in well-known binary, as GeoParquet holds it, into GeoJSON's form: points, polygons, multi-polygons."""

import math
import struct
from typing import Any

from keras_dhnn.errors import DataError

_KINDS = {1: "Point", 3: "Polygon", 6: "MultiPolygon"}
_EVERY = tuple(_KINDS.values())
# Flags of the extended form, and thousands of the ISO form: heights and measures, which are left out.
_HEIGHT, _MEASURE, _SYSTEM = 0x80000000, 0x40000000, 0x20000000
_EXTRA = (0, 1, 1, 2)


def from_wkb(value: bytes) -> dict[str, Any]:
    """Return the GeoJSON geometry of WKB bytes: a point, polygon or multi-polygon in two dimensions or more.

    Raises:
        DataError: if they are something else.
    """
    try:
        geometry, _ = _parse(value, 0)
    except (struct.error, KeyError, IndexError) as error:
        raise DataError("Expected geometry as WKB of points, polygons or multi-polygons. Received others.") from error
    return geometry


def points_of(geometry: dict[str, Any]) -> list[list[float]]:
    """Return all points of a GeoJSON geometry, a list of `[x, y]`; none of an empty one."""
    waiting, points = [geometry["coordinates"]], []
    while waiting:
        part = waiting.pop()
        if part and isinstance(part[0], float):
            points.append(part)
        else:
            waiting += part
    return points


def _parse(value, at, kinds=_EVERY):
    """Return a geometry of some kinds that begins at a byte, and the byte after it."""
    order = "<" if value[at] else ">"
    (code,) = struct.unpack_from(f"{order}I", value, at + 1)
    kind = _KINDS[(code & 0xFFFF) % 1000]
    if kind not in kinds:
        raise KeyError(kind)
    dimensions = 2 + bool(code & _HEIGHT) + bool(code & _MEASURE) + _EXTRA[(code & 0xFFFF) // 1000]
    at += 9 if code & _SYSTEM else 5
    if kind == "Point":
        ((x, y),), at = _points(value, at, order, 1, dimensions)
        # An empty point is written as NaN.
        return {"type": kind, "coordinates": [] if math.isnan(x) and math.isnan(y) else [x, y]}, at
    (count,), at, parts = struct.unpack_from(f"{order}I", value, at), at + 4, []
    for _ in range(count):
        if kind == "Polygon":
            (size,) = struct.unpack_from(f"{order}I", value, at)
            part, at = _points(value, at + 4, order, size, dimensions)
        else:
            polygon, at = _parse(value, at, ("Polygon",))
            part = polygon["coordinates"]
        parts.append(part)
    return {"type": kind, "coordinates": parts}, at


def _points(value, at, order, count, dimensions):
    flat = struct.unpack_from(f"{order}{count * dimensions}d", value, at)
    return [list(flat[first : first + 2]) for first in range(0, len(flat), dimensions)], at + 8 * len(flat)
