"""Read the bands of an open raster as they are counted from 1: of one with a colour table, red, green and blue."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Bands:
    """Know the bands of a raster that rasterio has open.

    Args:
        raster: the open raster.

    Attributes:
        count: how many there are.
        own: numbers of all but its opacity.
        table: `(n, 4)` uint8 red, green, blue and opacity of what it holds as indices; None if it holds values.
    """

    def __init__(self, raster: Any):
        kinds = [kind.name for kind in raster.colorinterp]
        self.own = [number for number, kind in enumerate(kinds, 1) if kind != "alpha"]
        self.count = raster.count
        is_palette = [kinds[number - 1] for number in self.own] == ["palette"]
        self.table = _colour_table(raster, self.own[0]) if is_palette else None
        self._dtypes = raster.dtypes
        if self.table is not None:
            self._index, self.own, self.count, self._dtypes = self.own[0], [1, 2, 3], 3, ["uint8"] * 3

    def dtype(self, numbers: Sequence[int]) -> str:
        """Return the type that holds the values of some bands."""
        return np.result_type(*(self._dtypes[number - 1] for number in numbers)).name

    def read(self, raster: Any, numbers: Sequence[int], **how: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels `(C, h, w)`, and `(h, w)` bool where its colour table shows any; None: everywhere.

        Args:
            raster: the same one, open in this thread.
            numbers: of the bands.
            **how: arguments of rasterio's `read`. GDAL averages colours, not indices, and takes the table's nearest.
        """
        if self.table is None:
            return raster.read(list(numbers), **how), None
        if "out_shape" in how:
            how["out_shape"] = how["out_shape"][-2:]
        index, last = raster.read(self._index, **how).astype(np.int64), len(self.table) - 1
        # What is beyond the table is the last entry, which `_colour_table` adds.
        colours = self.table[np.where((index < 0) | (index > last), last, index)]
        return np.moveaxis(colours[..., [number - 1 for number in numbers]], -1, 0), colours[..., 3] > 0


def _colour_table(raster, number):
    if np.dtype(raster.dtypes[number - 1]).kind not in "ui":
        return None
    try:
        colours = raster.colormap(number)
    except ValueError:  # it says that there is one, and has none
        return None
    return np.array([*(colours[index] for index in sorted(colours)), (0, 0, 0, 0)], np.uint8)
