"""Show items and scenes as small pictures: made when they are first looked at, the latest of them kept."""

import contextlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image

from keras_dhnn.browse import rasters
from keras_dhnn.browse.catalogue import Catalogue
from keras_dhnn.browse.refusal import Refusal, not_found
from keras_dhnn.errors import DataError, MissingPackage
from keras_dhnn.pipelines.formats.image_file import read_image_file

SIDES = (64, 128, 256, 512, 1024)
MOST_OVERVIEW = 2048
# Bytes of pictures that are kept.
_KEPT = 64 << 20
# Of values that are no bytes, the darkest and the brightest two percent are black and white, by a sample of images.
_PERCENTILES = (2, 98)
_SAMPLE, _SAMPLE_SIDE = 24, 256
_QUALITY = 82
# Files of each source that are looked at to tell whether there are such bands.
_COUNTED = 5
# Reads the picture of an item that has no file of its own.
Reader = Callable[[str, str], np.ndarray]


class Pictures:
    """Make pictures of an archive's items and scenes, `image/webp`.

    Args:
        catalogues: `{source: Catalogue}`.
        bands: numbers, from 1, of the red, green and blue band of images with more than three; None: the first three.
        reader: function of a source and an id that gives the pixels `(H, W, C)` of items without a path; or None.
    """

    def __init__(
        self,
        catalogues: dict[str, Catalogue],
        bands: tuple[int, ...] | None = None,
        reader: Reader | None = None,
    ):
        self._catalogues, self._bands, self._reader = catalogues, bands, reader
        self._kept: OrderedDict[tuple, bytes] = OrderedDict()
        self._bytes, self._guard = 0, threading.Lock()
        self._range_of_scene = lru_cache(256)(self._measure_scene)
        self._range_of_files = lru_cache(8)(self._measure_files)

    def thumb(self, source: str, key: str, side: int) -> bytes:
        """Return an item's picture of at most `side` pixels on a side.

        Raises:
            Refusal: 404 if there is no such item, or its picture is gone.
        """
        number = self._catalogues[source].number(key)
        return self._keep(("item", source, number, side), lambda: self._draw(source, number, side))

    def overview(self, path: str, side: int) -> bytes:
        """Return a picture of a whole scene; `Refusal` as of `thumb`."""

        def draw() -> bytes:
            pixels, valid = rasters.read_window(path, bands=self._bands, first=3, most=side)
            return encode_webp(_shown(pixels, self._range_of_scene(path), None), side, valid)

        return self._keep(("scene", path, side), draw)

    def pixels(self, source: str, number: int) -> np.ndarray:
        """Return the pixels `(H, W, C)` of an item, as they are stored.

        Raises:
            Refusal: 404 if they are gone.
        """
        catalogue = self._catalogues[source]
        place = catalogue.path(number)
        if place["row"] is not None and place["path"]:
            return _read_tile(place)[0]
        if place["path"]:
            return _read_file(place["path"]).bands
        if self._reader is None:
            raise not_found(f"No picture is kept of {catalogue.ids[number]!r}.")
        return self._reader(source, catalogue.ids[number])

    def most_bands(self) -> int | None:
        """Return how many bands those of a sample of the files have that have most; None if none can be read."""
        places = [
            catalogue.path(int(number))
            for catalogue in self._catalogues.values()
            for number in np.unique(np.linspace(0, len(catalogue) - 1, _COUNTED).astype(int))
            if len(catalogue)
        ]
        files = {place["path"]: place["row"] is not None for place in places if place["path"]}
        found = []
        for path, is_scene in files.items():
            with contextlib.suppress(Refusal, MissingPackage):  # one that is gone: the others say enough
                found.append(rasters.describe(path).bands if is_scene else _read_file(path).bands.shape[2])
        return max(found, default=None)

    def _draw(self, source, number, side):
        place = self._catalogues[source].path(number)
        if place["row"] is not None and place["path"]:
            pixels, valid = _read_tile(place, self._bands, 3, side)
            limits = None if pixels.dtype == np.uint8 else self._range_of_scene(place["path"])
            return encode_webp(_shown(pixels, limits, None), side, valid)
        pixels = self.pixels(source, number)
        limits = None if pixels.dtype == np.uint8 else self._range_of_files(source)
        return encode_webp(_shown(pixels, limits, self._bands), side)

    def _measure_scene(self, path):
        pixels, valid = rasters.read_window(path, bands=self._bands, first=3, most=_SAMPLE_SIDE)
        return None if pixels.dtype == np.uint8 else _range(pixels[valid] if valid.any() else pixels)

    def _measure_files(self, source):
        """Return the range of a sample of a source's images: one for all, so that they can be compared."""
        values = []
        for number in np.linspace(0, len(self._catalogues[source]) - 1, _SAMPLE).astype(int):
            with contextlib.suppress(Refusal, MissingPackage):  # one that is gone: the others say enough
                pixels = self.pixels(source, int(number))
                values.append(pixels[::4, ::4].reshape(-1, pixels.shape[2]))
        same = [one for one in values if one.shape[1] == values[0].shape[1]]
        return _range(np.concatenate(same)) if same else None

    def _keep(self, key, draw):
        with self._guard:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        picture = draw()
        with self._guard:
            if key not in self._kept:
                self._kept[key] = picture
                self._bytes += len(picture)
            while self._bytes > _KEPT:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return picture


def draw_upload(pixels: np.ndarray, bands: tuple[int, ...] | None, side: int) -> bytes:
    """Return a picture of an uploaded image, stretched by its own values."""
    limits = None if pixels.dtype == np.uint8 else _range(pixels.reshape(-1, pixels.shape[2]))
    return encode_webp(_shown(pixels, limits, bands), side)


def encode_webp(image: np.ndarray, side: int, valid: np.ndarray | None = None) -> bytes:
    """Return a WebP file.

    Args:
        image: `(H, W, 3)` or `(H, W, 1)` uint8.
        side: at most so many pixels on a side.
        valid: `(H, W)` bool; where it is false the picture is transparent; None: nowhere.
    """
    picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
    if valid is not None and not valid.all():
        picture = picture.convert("RGBA")
        picture.putalpha(Image.fromarray(valid.astype(np.uint8) * 255))
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY, method=2)
    return file.getvalue()


def _read_tile(place, bands=None, first=None, most=1024):
    box = rasters.Box(place["row"], place["col"], place["size"], place["size"])
    return rasters.read_window(place["path"], box, bands=bands, first=first, most=most)


def _read_file(path):
    try:
        return read_image_file(path)
    except DataError as error:
        raise not_found(str(error)) from error


def _range(values):
    """Return `(2, C)`: what is black and what is white of each band."""
    values = values.astype(np.float32)
    finite = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.nanpercentile(finite, _PERCENTILES, axis=0))


def _shown(pixels, limits, bands):
    """Return `(H, W, 3)` or `(H, W, 1)` uint8 of an image of any bands and type."""
    channels = pixels.shape[2]
    if bands is None or max(bands) > channels or channels < 3:
        bands = (1, 2, 3) if channels >= 3 else (1,)
    else:
        bands = bands if len(bands) == 3 else bands[:1]
    places = [number - 1 for number in bands]
    shown = pixels[..., places]
    if shown.dtype == np.uint8:
        return shown
    low, high = (np.zeros(channels), np.ones(channels)) if limits is None else limits
    low, high = low[places], high[places]
    scaled = 255 * (shown.astype(np.float32) - low) / np.maximum(high - low, 1e-6)
    return np.clip(np.nan_to_num(scaled), 0, 255).astype(np.uint8)
