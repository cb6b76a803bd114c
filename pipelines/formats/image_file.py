"""Read one image file of any common format, as a data set's images are."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_dhnn.errors import DataError
from keras_dhnn.files import read_bytes
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.formats import tiff_page
from keras_dhnn.pipelines.formats.picture_bounds import check_jpeg, jpeg2000_bits
from keras_dhnn.pipelines.formats.pictures import open_picture
from keras_dhnn.pipelines.formats.tiff_bands import TiffBands, decode_bands
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

# Of a file, and of the decoded image, before it is resized.
MOST_BYTES = 1 << 28
# Pixels on a side: resizing takes memory for the product of the stored side and this one.
MOST_SIDE = 1 << 14
# Not whatever Pillow can open: some formats start other programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "JPEG2000")
_AS_STORED = ("uint8", "uint16", "int16")
# What fills pixels that hold nothing, where a file does not say and no other value is near.
_EMPTY, _FAR = (-32768.0, -9999.0), 1000
_HUGE = 1e30
_NO_TIFF = TiffBands(None, 0, False, None, None, 1)
_OF_GDAL = {"uint8": "-ot Byte -scale", "uint16": "-ot UInt16", "int16": "-ot Int16", "float32": "-ot Float32"}
_SHRINK = "Shrink it or cut it into tiles, for example: gdal_translate -outsize 4096 0 IN OUT.tif"


class Decoded(NamedTuple):
    """Describe what an image file holds.

    Attributes:
        bands: `(H, W, C)` uint8, uint16, int16 or float32.
        empty: `(H, W, C)` bool, where it holds no measurement: NaN, infinite, the file's own nodata value, what its
            own mask leaves out, and -9999 or -32768 where the file says nothing of empty pixels and all others
            are larger by 1,000; None if nowhere.
        stored: the type in the file; other integers and floats than those above become float32.
        alpha: whether the last band is marked as opacity. Only TIFF files keep such a band: GDAL marks the fourth
            of any four bands so, a near-infrared one too.
        names: of the bands, where the file says them; else ().
        colours: numbers, from 1, of its red, green and blue band, where it says so; else None.
    """

    bands: np.ndarray
    empty: np.ndarray | None
    stored: str
    alpha: bool
    names: tuple = ()
    colours: tuple | None = None

    @property
    def holds_nothing(self) -> bool:
        """Return whether no pixel of any band is a measurement."""
        return self.empty is not None and bool(self.empty.all())

    def in_colour(self) -> "Decoded":
        """Return the same, one grey band as red, green and blue."""
        if self.bands.shape[2] - self.alpha != 1:
            return self
        grey = self.without_opacity(1)
        empty = None if grey.empty is None else np.repeat(grey.empty, 3, axis=2)
        return grey._replace(bands=np.repeat(grey.bands, 3, axis=2), empty=empty)

    def image(self, channels: int, dtype: str | None = None) -> np.ndarray:
        """Return the image with so many bands, and of a type: less its opacity, where that is the one too many.

        Empty pixels get the lowest value of their band, so that resizing does not spread them.

        Returns:
            `(H, W, channels)` array.

        Raises:
            UnreadableImage: if it has another number of bands, or is of another type than is given.
        """
        found = self.bands.shape[2]
        if found != channels and not (self.alpha and found == channels + 1):
            bands = f"has {found} {'band' if found == 1 else 'bands'}, not {channels}"
            raise UnreadableImage(bands, _conversion(found, channels))
        if dtype not in (None, self.bands.dtype):
            cure = f" Convert it, for example: gdal_translate {_OF_GDAL[dtype]} IN OUT.tif"
            raise UnreadableImage(f"has pixels of {self.stored}, not {dtype}", cure)
        image, empty = self.bands[..., :channels], self.without_opacity(channels).empty
        return image if empty is None else _filled(image, empty)

    def without_opacity(self, channels: int) -> "Decoded":
        """Return the same with `channels` bands; where the opacity that is left out is 0, pixels are empty."""
        empty = None if self.empty is None else self.empty[..., :channels]
        if self.bands.shape[2] > channels and self.alpha:
            clear = np.broadcast_to(self.bands[..., channels:] == 0, (*self.bands.shape[:2], channels))
            empty = (clear if empty is None else clear | empty) if clear.any() else empty
        return self._replace(bands=self.bands[..., :channels], empty=empty, alpha=False)


def _conversion(found, wanted):
    """Return what helps an image of another number of bands, a sentence; empty if nothing can."""
    if 1 < found < wanted:
        return ""
    bands = " ".join(f"-b {min(band, found)}" for band in range(1, wanted + 1))
    return f" Convert it, for example: gdal_translate {bands} IN OUT.tif"


def decode_image(content: bytes, most_bytes: int = MOST_BYTES) -> Decoded:
    """Decode an image file.

    Grey stays one band; palette, CMYK and other colours become RGB; opacity is dropped (but see `Decoded.alpha`);
    a photograph is turned upright as its EXIF orientation says.

    Args:
        content: the file's bytes: TIFF, PNG, JPEG, WebP, BMP or JPEG 2000.
        most_bytes: larger images are refused before they are decoded.

    Returns:
        `Decoded`.

    Raises:
        UnreadableImage: if it is none of these, damaged, too large or of complex numbers.
    """
    try:
        file = decode_bands(content, most_bytes) if content[:4] in tiff_page.MAGIC else _NO_TIFF
        bands, clear = (file.bands, False) if file.bands is not None else _decode_picture(content, most_bytes, file)
    except UnidentifiedImageError as error:
        raise UnreadableImage("is no image of a known format") from error
    except UnreadableImage:
        raise
    except Exception as error:  # Damaged files surface as OSError, SyntaxError, struct.error and more.
        raise UnreadableImage(f"cannot be decoded ({type(error).__name__}: {error})") from error
    if max(bands.shape[:2]) > MOST_SIDE:
        raise UnreadableImage(_too_long(*bands.shape[:2]))
    if file.valid is not None and file.valid.shape != bands.shape[:2]:
        raise UnreadableImage("has a mask of another size: it says that it is to be turned, and the mask is not")
    kept = bands.astype(bands.dtype.name if bands.dtype.name in _AS_STORED else "float32", copy=False)
    empty = _empty(kept, file.nodata)
    if file.valid is not None:
        empty = empty | ~file.valid[..., None]
    if clear:
        empty = np.True_
    empty = np.broadcast_to(empty, kept.shape) if empty.any() else None
    return Decoded(kept, empty, bands.dtype.name, file.alpha, file.names, file.colours)


def read_image_file(path: Path | str) -> Decoded:
    """Read and decode an image file.

    Args:
        path: a file as of `decode_image`.

    Returns:
        `Decoded`.

    Raises:
        DataError: if the file is not there, no regular file, not an image or too large.
    """
    try:
        return decode_image(read_bytes(path, MOST_BYTES))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    except UnreadableImage as error:
        raise DataError(f"{path} {error}") from error


def read_image(path: Path | str, spec: ImageSpec) -> np.ndarray:
    """Read an image file and bring it to the size of a data set's images.

    Args:
        path: a file as of `decode_image`.
        spec: `ImageSpec` of the data set's images.

    Returns:
        `(spec.height, spec.width, spec.channels)` array of the spec's type.

    Raises:
        DataError: if the file is not there or not an image, is too large, or has other bands or another type.
    """
    try:
        image = read_image_file(path).image(spec.channels, spec.dtype)
    except UnreadableImage as error:
        expected = f"Expected {spec}, as the data set's images, of any size."
        raise DataError(f"{path} {error}. {expected}{error.cure}") from error
    return resize_stored(image, spec.height, spec.width)


def resize_stored(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an `(H, W, C)` image as at preparation: bicubic, without aliasing, in its own type.

    The sides are stretched alike or not: an image that is not square is not cut.
    """
    if image.shape[:2] == (height, width):
        return image
    # Pillow's resize widens the filter when it shrinks, so that nothing aliases.
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    return np.stack([_resize_band(image[..., band], height, width) for band in range(image.shape[2])], axis=-1)


def _resize_band(band, height, width):
    if band.dtype == np.uint8:
        return np.asarray(Image.fromarray(band).resize((width, height), Image.Resampling.BICUBIC))
    resized = np.asarray(Image.fromarray(band.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))
    if band.dtype == np.float32:
        return resized
    limits = np.iinfo(band.dtype)
    return np.rint(resized).clip(limits.min, limits.max).astype(band.dtype)


def _filled(image, empty):
    lowest = np.where(empty, np.inf, image).min(axis=(0, 1))
    return np.where(empty, np.where(np.isfinite(lowest), lowest, 0), image).astype(image.dtype)


def _empty(image, nodata):
    """Return `(H, W, C)` bool, or False where no pixel can be empty."""
    empty = ~(np.abs(image) < _HUGE) if image.dtype.kind == "f" else np.False_
    if nodata is not None:
        return empty | (image == nodata)
    for value in _EMPTY if image.dtype.kind != "u" else ():
        marked = image == value
        # It is what fills, and no measurement, if it is the lowest by far.
        if marked.any() and np.where(marked | empty, np.inf, image).min() > value + _FAR:
            empty = empty | marked
    return empty


def _decode_picture(content, most_bytes, file):
    """Return the pixels of a file for Pillow, and whether none of them can be seen.

    Args:
        content: the file's bytes.
        most_bytes: that pixels may take.
        file: the `TiffBands` that names the image of a TIFF file.
    """
    with open_picture(content, _FORMATS, file.page or 0) as image:
        _check_picture(image, content, most_bytes, file.streams)
        if image.format == "PNG" and content[24] == 16 and content[25] in (2, 4, 6):
            return _decode_deep_png(content, colour=content[25] != 4), _is_clear(image)
        if image.mode == "I" and image.format == "PNG":  # how older versions of Pillow call 16 bits of grey
            return np.asarray(image, np.uint16)[..., None], False
        if image.mode.startswith("I") or image.mode == "F":
            pixels = np.asarray(image)
            pixels = pixels.astype(pixels.dtype.newbyteorder("="))[..., None]
            # Pillow stretches what has fewer bits; the file's own values are wanted.
            return pixels >> (16 - jpeg2000_bits(content)) if image.format == "JPEG2000" else pixels, False
        if file.alpha and image.mode in ("RGBA", "RGBa", "LA", "La"):
            return np.asarray(image), False
        image, clear = ImageOps.exif_transpose(image), _is_clear(image)
        if image.mode in ("1", "L", "LA", "La"):
            return np.asarray(image.convert("L"))[..., None], clear
        return np.asarray(image.convert("RGB")), clear


def _is_clear(image):
    """Return whether no pixel of an image for Pillow can be seen, as of map tiles beyond the border of a scene."""
    if not image.has_transparency_data:
        return False
    return image.convert("RGBA").getchannel("A").getextrema()[1] == 0


def _check_picture(image, content, most_bytes, streams):
    """Refuse what would take too much memory or time, before a pixel of it is decoded."""
    width, height = image.size
    if max(width, height) > MOST_SIDE:
        raise UnreadableImage(_too_long(height, width))
    deep = image.format == "PNG" and content[24] == 16
    size = 4 if image.mode in ("I", "F") else 2 if deep or image.mode.startswith("I;16") else 1
    # A palette becomes three bands.
    claimed = width * height * size * max(len(image.getbands()), 3 if image.mode == "P" else 1)
    if claimed > most_bytes:
        raise UnreadableImage(
            f"claims {width} x {height} pixels, {claimed:,} bytes; at most {most_bytes:,} are read. {_SHRINK}"
        )
    if image.format in ("JPEG", "MPO") or (image.format == "TIFF" and streams):
        check_jpeg(content, width * height, streams)
    if image.format == "JPEG2000":
        jpeg2000_bits(content)


def _too_long(height, width):
    return f"has {width} x {height} pixels; at most {MOST_SIDE:,} on a side are read. {_SHRINK}"


def _decode_deep_png(content, colour):
    """Return several bands of 16 bits, of which Pillow would keep 8."""
    import tensorflow as tf  # takes seconds, and is seldom needed here

    return tf.io.decode_png(content, channels=3 if colour else 1, dtype=tf.uint16).numpy()
