"""One image file of any common format, as a data set's images are."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats.tiff import UnreadableTiff
from keras_dhnn.pipelines.formats.tiff_bands import decode_bands

# Of the decoded image, before it is resized.
MOST_BYTES = 1 << 28
# Not whatever Pillow can open: some formats start other programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "JPEG2000")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_AS_STORED = ("uint8", "uint16", "int16")
# What fills pixels that hold nothing, where a file does not say: no band of an image measures such a value.
_EMPTY = (-9999.0, -32768.0)
_HUGE = 1e30


class UnreadableImage(ValueError):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


class Decoded(NamedTuple):
    """What an image file holds.

    Attributes:
        bands: `(H, W, C)` uint8, uint16, int16 or float32.
        empty: `(H, W, C)` bool, where it holds no measurement: NaN, infinite, the file's own nodata value, -9999 or
            -32768; None if nowhere.
        stored: the type in the file; other integers and floats than those above become float32.
        alpha: whether the last band is marked as opacity. Only TIFF files keep such a band: GDAL marks the fourth
            of any four bands so, a near-infrared one too.
    """

    bands: np.ndarray
    empty: np.ndarray | None
    stored: str
    alpha: bool

    def image(self, channels):
        """The image with so many bands: less its opacity, where that is the one too many.

        Empty pixels get the lowest value of their band, so that resizing does not spread them.

        Returns:
            `(H, W, channels)` array.

        Raises:
            UnreadableImage: if it has another number of bands.
        """
        found = self.bands.shape[2]
        if found != channels and not (self.alpha and found == channels + 1):
            raise UnreadableImage(f"has {found} {'band' if found == 1 else 'bands'}, not {channels}")
        image = self.bands[..., :channels]
        return image if self.empty is None else _filled(image, self.empty[..., :channels])


def decode_image(content, most_bytes=MOST_BYTES):
    """Decodes an image file.

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
        decoded = decode_bands(content, most_bytes) if content[:4] in _TIFF else None
        bands, alpha, nodata = decoded or (_decode_picture(content, most_bytes), False, None)
    except UnreadableTiff as error:
        raise UnreadableImage(str(error)) from error
    except UnidentifiedImageError as error:
        raise UnreadableImage("is no image of a known format") from error
    except UnreadableImage:
        raise
    except Exception as error:  # Damaged files surface as OSError, SyntaxError, struct.error and more.
        raise UnreadableImage(f"cannot be decoded ({type(error).__name__}: {error})") from error
    if bands.dtype.kind not in "uif":
        raise UnreadableImage(f"has pixels of {bands.dtype.name}; expected whole or real numbers")
    kept = bands.astype(bands.dtype.name if bands.dtype.name in _AS_STORED else "float32", copy=False)
    empty = _empty(kept, nodata)
    return Decoded(kept, empty if empty.any() else None, bands.dtype.name, alpha)


def read_image(path, spec):
    """Reads an image file and brings it to the size of a data set's images.

    Args:
        path: a file as of `decode_image`.
        spec: `ImageSpec` of the data set's images.

    Returns:
        `(spec.height, spec.width, spec.channels)` array of the spec's type.

    Raises:
        DataError: if the file is not there or not an image, is too large, or has other bands or another type.
    """
    try:
        decoded = decode_image(path.read_bytes())
        image = decoded.image(spec.channels)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    except UnreadableImage as error:
        raise DataError(f"{path} {error}. Expected {spec}, as the data set's images, of any size.") from error
    if image.dtype != spec.dtype:
        raise DataError(f"{path} has pixels of {decoded.stored}; expected {spec.dtype}, as the data set's images.")
    return resize_stored(image, spec.height, spec.width)


def resize_stored(image, height, width):
    """Resizes an `(H, W, C)` image as at preparation: bicubic, without aliasing, in its own type.

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
    """`(H, W, C)` bool, or False where no pixel can be empty."""
    if image.dtype == np.uint8:
        return np.False_
    empty = ~(np.abs(image) < _HUGE) if image.dtype.kind == "f" else np.False_
    for value in (nodata, *(_EMPTY if image.dtype.kind != "u" else ())):
        if value is not None:
            empty = empty | (image == value)
    return empty


def _decode_picture(content, most_bytes):
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        claimed = image.width * image.height * 4
        if claimed > most_bytes:
            raise UnreadableImage(
                f"claims {image.width} x {image.height} pixels; at most {most_bytes:,} bytes are read"
            )
        if image.format == "PNG" and content[24] == 16 and content[25] in (2, 4, 6):
            return _decode_deep_png(content, colour=content[25] != 4)
        if image.mode == "I" and image.format == "PNG":  # how older versions of Pillow call 16 bits of grey
            return np.asarray(image, np.uint16)[..., None]
        if image.mode.startswith("I") or image.mode == "F":
            pixels = np.asarray(image)
            return pixels.astype(pixels.dtype.newbyteorder("="))[..., None]
        image = ImageOps.exif_transpose(image)
        if image.mode in ("1", "L", "LA", "La"):
            return np.asarray(image.convert("L"))[..., None]
        return np.asarray(image.convert("RGB"))


def _decode_deep_png(content, colour):
    """Several bands of 16 bits, of which Pillow would keep 8."""
    import tensorflow as tf  # takes seconds, and is seldom needed here

    return tf.io.decode_png(content, channels=3 if colour else 1, dtype=tf.uint16).numpy()
