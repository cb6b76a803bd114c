"""Read windows and overviews of scenes whose paths an archive names.

An archive may come from a stranger: what it names is opened only if it is a regular file, as a GeoTIFF or a JPEG 2000
file. What names other files or addresses, which GDAL would read or fetch, is refused: a VRT, and a file whose metadata
say that its overviews are elsewhere.
"""

import contextlib
import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_dhnn.archive.tiles.bands import Bands
from keras_dhnn.archive.tiles.scenes import OTHER_FILES, Place, load_rasterio
from keras_dhnn.errors import DataError, SettingError

_DRIVERS = {".jp2": "JP2OpenJPEG"}
# The domain of metadata in which a raster may name any file or address, of any driver, as its overviews.
_OVERVIEWS = "OVERVIEWS"
# Of what is read at once; and of what that is made smaller of, where a file has no overviews of it: some seconds.
MOST_VALUES = 1 << 27
MOST_SMALLER = 1 << 29
# GDAL's own switches: no other files of the folder, no network, no files of no format, little memory.
_SETTINGS = {
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "GDAL_CACHEMAX": 64,
    **OTHER_FILES,
}


class TooLarge(SettingError):
    """Report a box of too many values to be read at once."""


class Scene(NamedTuple):
    """Describe a scene's file.

    Attributes:
        height: in pixels.
        width: in pixels.
        bands: how many.
        dtype: of its values.
        corners: longitude and latitude of the upper left, upper right, lower right and lower left corner, or None.
    """

    height: int
    width: int
    bands: int
    dtype: str
    corners: list[list[float]] | None


def describe(path: str) -> Scene:
    """Return what a scene's file says of itself.

    Raises:
        DataError: if it is gone, cannot be read, or names other files.
    """
    with _opened(path) as raster:
        height, width, bands = raster.height, raster.width, Bands(raster)
        return Scene(height, width, bands.count, bands.dtype([1]), _corners(raster, height, width))


class Box(NamedTuple):
    """Describe a part of a scene, in pixels: its upper left corner and its sides."""

    row: int
    col: int
    height: int
    width: int


def read_window(
    path: str, box: Box | None = None, *, bands: tuple[int, ...] | None = None, first: int | None = None, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a part of a scene, made smaller if it has more than `most` pixels on a side.

    Args:
        path: of the scene.
        box: which part; None: all. Of an item's, what lies beyond the lower and right edge is left out.
        bands: numbers from 1; None: all but opacity.
        first: so many of those at most; None: all.
        most: pixels on a side of the result.

    Returns:
        `(h, w, C)` pixels, `(h, w)` bool: where they hold data.

    Raises:
        DataError: if it is gone, cannot be read, or names other files.
        SettingError: if it has no such part or band.
        TooLarge: if the part has too many values.
    """
    with _opened(path) as raster:
        box = _within(raster, box or Box(0, 0, raster.height, raster.width))
        own = Bands(raster)
        numbers = list(bands or own.own or [1])[:first]
        if max(numbers) > own.count:
            raise SettingError(f"The scene has {own.count} bands. Received: {max(numbers)}")
        smaller = min(1.0, most / max(box.height, box.width))
        shape = max(1, round(box.height * smaller)), max(1, round(box.width * smaller))
        if len(numbers) * shape[0] * shape[1] > MOST_VALUES:
            raise TooLarge("The box is too large to be read at once. Draw a smaller one.")
        if len(numbers) * box.height * box.width / _overview(raster, 1 / smaller) ** 2 > MOST_SMALLER:
            raise TooLarge(
                f"The scene {path} is too large to be made smaller at once. Give it overviews: gdaladdo {path}"
            )
        window = load_rasterio().windows.Window(box.col, box.row, box.width, box.height)
        ways = load_rasterio().enums.Resampling
        resampling = ways.average if smaller < 1 else ways.nearest
        size = (len(numbers), *shape)
        pixels, shown = own.read(raster, numbers, window=window, out_shape=size, resampling=resampling)
        valid = raster.dataset_mask(out_shape=shape, window=window) > 0
        return np.moveaxis(pixels, 0, -1), valid if shown is None else valid & shown


@contextlib.contextmanager
def _opened(path):
    rasterio = load_rasterio()
    if not path or not os.path.isfile(path):
        raise DataError(f"The scene {path} is not there any more.")
    suffix = Path(path).suffix.lower()
    if suffix == ".vrt":
        raise DataError(
            f"The scene {path} is a VRT, which can name any file and address, and is not opened because an archive "
            "names it. To see its tiles, write it as a GeoTIFF (gdal_translate IN.vrt OUT.tif) and encode that."
        )
    # From the root: what looks like an address is the name of a file here.
    place = Path(path).absolute()
    try:
        with warnings.catch_warnings(), rasterio.Env(**_SETTINGS):
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(place, driver=_DRIVERS.get(suffix, "GTiff")) as raster:
                if raster.tags(ns=_OVERVIEWS):
                    raise DataError(f"The scene {path} names another file for its overviews, and is not read.")
                yield raster
    except rasterio.errors.RasterioError as error:
        raise DataError(f"The scene {path} cannot be read: {error}") from error


def _overview(raster, factor):
    """Return how many times smaller than the raster its smallest overview is that is large enough; 1: there is none."""
    return max((one for one in raster.overviews(1) if one <= factor), default=1)


def _within(raster, box):
    height, width = min(box.height, raster.height - box.row), min(box.width, raster.width - box.col)
    if box.row < 0 or box.col < 0 or height < 1 or width < 1:
        raise SettingError(
            f"Expected a box within the scene's {raster.width} x {raster.height} pixels. Received: {box.width} x "
            f"{box.height} from column {box.col}, row {box.row}.",
        )
    return Box(box.row, box.col, height, width)


def _corners(raster, height, width):
    found = Place(load_rasterio(), raster).corners(0, 0, (height, width))
    # Round the scene the other way than tiles.
    return None if found is None else np.round(found[[0, 3, 2, 1]], 8).tolist()
